"""Azure's paired regions: the one other region that a geo-redundant vault copies to.

Source: https://learn.microsoft.com/azure/reliability/regions-paired
"""

from typing import Final

_PAIRS: Final = (
    ("australiaeast", "australiasoutheast"),
    ("australiacentral", "australiacentral2"),
    ("brazilsouth", "southcentralus"),
    ("canadacentral", "canadaeast"),
    ("centralindia", "southindia"),
    ("centralus", "eastus2"),
    ("centraluseuap", "eastus2euap"),
    ("chinaeast", "chinanorth"),
    ("chinaeast2", "chinanorth2"),
    ("chinaeast3", "chinanorth3"),
    ("eastasia", "southeastasia"),
    ("eastus", "westus"),
    ("francecentral", "francesouth"),
    ("germanywestcentral", "germanynorth"),
    ("japaneast", "japanwest"),
    ("koreacentral", "koreasouth"),
    ("northcentralus", "southcentralus"),
    ("northeurope", "westeurope"),
    ("norwayeast", "norwaywest"),
    ("southafricanorth", "southafricawest"),
    ("swedencentral", "swedensouth"),
    ("switzerlandnorth", "switzerlandwest"),
    ("uaenorth", "uaecentral"),
    ("uksouth", "ukwest"),
    ("usgovarizona", "usgovtexas"),
    ("usgovvirginia", "usgovtexas"),
    ("westcentralus", "westus2"),
)
_ONE_WAY: Final = {
    "southcentralus": "northcentralus",
    "westindia": "southindia",
    "westus3": "eastus",
    "usgovtexas": "usgovvirginia",
}


def paired(region: str) -> str:
    """The region that a vault in ``region`` is copied to, or "" where Azure names none."""
    name = region.replace(" ", "").casefold()
    if name in _ONE_WAY:
        return _ONE_WAY[name]
    for first, second in _PAIRS:
        if name == first:
            return second
        if name == second:
            return first
    return ""
