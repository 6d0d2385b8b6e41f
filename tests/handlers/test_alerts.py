"""Azure Monitor's alerts: everything recorded is understood, everything else is refused in words."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.incident import Operation
from handlers.alerts.azure_monitor import NotAnAlertError, parse
from tests.e2e.support import alert

ALERTS = Path(__file__).parents[2] / "../shared/data"
VAULT = "/subscriptions/S/resourceGroups/RG/providers/Microsoft.RecoveryServices/vaults/Vault-1"
ITEM = f"{VAULT}/backupFabrics/Azure/protectionContainers/IaasVMContainer;c;rg;vm-1/protectedItems/VM;c;rg;vm-1"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def test_an_alert_of_an_item() -> None:
    """Item, vault, operation and the key under which one incident lives; the same whatever the case of its ids."""
    first, second = parse(alert(VAULT.lower(), ITEM)), parse(alert(VAULT, ITEM.upper()))

    assert ("vm-1", Operation.BACKUP) == (first.item_name, first.operation)
    assert first.incident_key == second.incident_key
    assert first.delivery_key == second.delivery_key
    assert first.delivery_key != parse(alert(VAULT, ITEM, condition="Resolved")).delivery_key


def test_an_alert_of_a_vault() -> None:
    """Without an item the vault and the rule are the key."""
    one = parse(alert(VAULT, alertRule="Delete Backup Data"))

    assert ("", Operation.CONFIGURATION) == (one.item_id, one.operation)
    assert one.incident_key.endswith("|delete backup data")


@pytest.mark.parametrize("place", ["essentials", "alertContext"])
@given(value=JSON)
def test_no_json_breaks_the_parser(place: str, value: Any) -> None:
    """Any value in any place is an alert or is refused, never a bug that would lose it."""
    body = alert(VAULT, ITEM)
    inner = body["data"][place]
    for name in list(inner):
        changed = json.loads(json.dumps(body))
        changed["data"][place][name] = value
        with contextlib.suppress(NotAnAlertError):
            parse(changed)
    body["data"][place] = value
    with contextlib.suppress(NotAnAlertError):
        parse(body)


@given(value=JSON)
def test_no_body_breaks_the_parser(value: Any) -> None:
    """As above for the whole."""
    with pytest.raises(NotAnAlertError):
        parse(value)


def test_recorded_alerts_are_understood() -> None:
    """Every alert that is kept as an example is an alert of a vault, or is said not to be one."""
    files = sorted(ALERTS.glob("alerts/**/*.json"))
    if not files:
        pytest.skip(f"no recorded alerts in {ALERTS}/alerts")
    understood = set()
    for file in files:
        body = json.loads(file.read_text(encoding="utf-8"))
        with contextlib.suppress(NotAnAlertError):
            parse(body.get("payload", body))
            understood.add(file.stem)
    assert {"real_azure_backup_job_failure_sql", "COMPOSED_backup_health_metric"} == understood
