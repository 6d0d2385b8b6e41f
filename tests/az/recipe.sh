#!/usr/bin/env bash
# Drives an unmodified Azure CLI against a running simulator; every command must succeed with sensible output.
# usage: recipe.sh path/to/az   (the rest comes from the environment that `python -m tests.az` sets)
set -euo pipefail
AZ=${1:?path of az}
: "${SIM_ARM:?}" "${SIM_CA:?}" "${SIM_TENANT:?}" "${SIM_SUB:?}" "${SIM_CLIENT_ID:?}" "${SIM_CLIENT_SECRET:?}" "${SIM_SERVICE:?}"

AZURE_CONFIG_DIR=$(mktemp -d); export AZURE_CONFIG_DIR          # the caller's own az profile stays as it is
trap 'rm -rf "$AZURE_CONFIG_DIR"' EXIT
export REQUESTS_CA_BUNDLE=$SIM_CA NO_PROXY=127.0.0.1,localhost
export AZURE_CORE_INSTANCE_DISCOVERY=false                      # msal would ask the public cloud about this authority
export AZURE_CORE_COLLECT_TELEMETRY=no AZURE_CORE_ONLY_SHOW_ERRORS=true AZURE_CORE_NO_COLOR=true
export AZURE_EXTENSION_USE_DYNAMIC_INSTALL=no AZURE_CORE_LOGIN_EXPERIENCE_V2=off

step() { # step NAME PATTERN command…: runs the command and wants the pattern in its output
  local name=$1 pattern=$2 out; shift 2
  out=$("$AZ" "$@" 2>&1) || { printf 'FAILED %s\n%s\n' "$name" "$out"; exit 1; }
  grep -qE -- "$pattern" <<<"$out" || { printf 'FAILED %s: no %s in\n%s\n' "$name" "$pattern" "$out"; exit 1; }
  printf 'ok %s\n' "$name"; LAST=$out
}

V=(--vault-name vault-prod-01 -g rg-backup-prod)
T=(--vault-name vault-prod-02 -g rg-backup-prod)
R=(--vault-name vault-restore-01 -g rg-backup-prod)
VM=(--backup-management-type AzureIaasVM --workload-type VM)
UNTIL=$(date -u -d '+30 days' +%d-%m-%Y)
STAGE=/subscriptions/$SIM_SUB/resourceGroups/rg-restore/providers/Microsoft.Storage/storageAccounts/ststagingprod01
KEYS=/subscriptions/$SIM_SUB/resourceGroups/rg-security/providers/Microsoft.KeyVault/vaults/kv-erp-01

"$AZ" cloud register -n Sim --endpoint-resource-manager "$SIM_ARM"   # without a slash at the end
"$AZ" cloud set -n Sim
step login "" login --service-principal -u "$SIM_CLIENT_ID" -p "$SIM_CLIENT_SECRET" --tenant "$SIM_TENANT" -o none
step 'account set' "" account set --subscription "$SIM_SUB"
step 'vault list' vault-prod-01 backup vault list -o tsv --query '[].name'
step 'vault backup-properties' . backup vault backup-properties show -n vault-prod-01 -g rg-backup-prod -o json
step 'job list' Failed backup job list "${V[@]}" --status Failed -o table
step 'job show' KeyVaultPermissions backup job show "${V[@]}" -n "$("$AZ" backup job list "${V[@]}" --status Failed \
  --query "[?properties.entityFriendlyName=='vm-erp-01'].name | [0]" -o tsv)" -o json
step 'item list' vm-web-01 backup item list "${V[@]}" -o table
step 'item show' '"friendlyName": "vm-app-01"' backup item show "${V[@]}" -c vm-app-01 -n vm-app-01 "${VM[@]}" -o json
step 'container list' vm-app-01 backup container list "${V[@]}" --backup-management-type AzureIaasVM -o table
step 'policy list' DailyVmPolicy backup policy list "${V[@]}" -o table
step 'policy show' SimpleSchedulePolicy backup policy show "${V[@]}" -n DailyVmPolicy -o json
step 'recoverypoint list' AppConsistent backup recoverypoint list "${V[@]}" -c vm-app-01 -i vm-app-01 "${VM[@]}" -o table
step 'backup-now' InProgress backup protection backup-now "${V[@]}" -c vm-app-01 -i vm-app-01 "${VM[@]}" \
  --retain-until "$UNTIL" --query '{name:name,status:properties.status}' -o json
JOB=$(sed -n 's/.*"name": "\(.*\)".*/\1/p' <<<"$LAST")
step 'job stop' "" backup job stop "${V[@]}" -n "$JOB"
step 'job show stopped' 'Cancel' backup job show "${V[@]}" -n "$JOB" --query properties.status -o tsv
step undelete . backup protection undelete "${T[@]}" -c vm-gone-01 -i vm-gone-01 "${VM[@]}" -o json
POINT=$("$AZ" backup recoverypoint list "${R[@]}" -c vm-ready-01 -i vm-ready-01 "${VM[@]}" --query '[0].name' -o tsv)
step 'restore-disks' Restore backup restore restore-disks "${R[@]}" -c vm-ready-01 -i vm-ready-01 -r "$POINT" \
  --storage-account "$STAGE" --target-resource-group rg-restore --query properties.operation -o tsv
step 'vm get-instance-view' PowerState/running vm get-instance-view -g rg-app -n vm-app-01 -o json
step 'keyvault show' enableRbacAuthorization keyvault show -n kv-erp-01 -g rg-security -o json
step 'role assignment create' "$SIM_SERVICE" role assignment create --role 'Key Vault Administrator' \
  --assignee-object-id "$SIM_SERVICE" --assignee-principal-type ServicePrincipal --scope "$KEYS" -o json
step 'role assignment list' "$SIM_SERVICE" role assignment list --scope "$KEYS" --fill-principal-name false \
  --fill-role-definition-name false -o json
step 'lock list' freeze lock list -g rg-restore-frozen -o json
step 'graph query' vault-prod-01 rest --method post \
  --url "$SIM_ARM/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01" --resource "$SIM_ARM" \
  --body '{"query": "resources | where type =~ '"'microsoft.recoveryservices/vaults'"' | project name"}'
echo AZ-RECIPE-OK
