// The Azure Bot through which Microsoft Teams reaches the bot: identity, registration and Teams channel.
//
//   az deployment group create -g rg-backupbot -f deploy/teams.bicep \
//     -p name=backupbot endpoint=https://backup.contoso.com/api/messages
//
// With no appId a user-assigned managed identity is made and used: no secret exists. With the appId of an application
// registration of this tenant the bot is SingleTenant and needs its secret as TEAMS_APP_PASSWORD.
// The bot changes nothing in Azure with this identity: it only signs in to Teams.

@description('Name of the Azure Bot, 4 to 42 letters, digits, - and _.')
@minLength(4)
@maxLength(42)
param name string

@description('Where Teams sends what people write: https, ending in /api/messages.')
param endpoint string

@description('Client id of an existing application registration; empty: a managed identity is made.')
param appId string = ''

@description('Region of the managed identity; the Azure Bot itself is global.')
param location string = resourceGroup().location

@description('F0 is free and limits nothing on the Teams channel; S1 has an SLA.')
@allowed(['F0', 'S1'])
param sku string = 'F0'

@description('Tags of all resources.')
param tags object = {}

var withIdentity = empty(appId)

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = if (withIdentity) {
  name: '${name}-teams'
  location: location
  tags: tags
}

resource bot 'Microsoft.BotService/botServices@2022-09-15' = {
  name: name
  location: 'global'
  kind: 'azurebot'
  sku: {
    name: sku
  }
  tags: tags
  properties: {
    displayName: 'Backup ChatOps'
    description: 'Diagnoses Azure Backup incidents and runs approved fixes'
    endpoint: endpoint
    msaAppType: withIdentity ? 'UserAssignedMSI' : 'SingleTenant'
    msaAppId: withIdentity ? identity!.properties.clientId : appId
    msaAppTenantId: tenant().tenantId
    msaAppMSIResourceId: withIdentity ? identity.id : null
    // Web Chat and Direct Line let a sender choose who they are; the bot refuses them, and here their keys are off too.
    disableLocalAuth: true
  }
}

resource teams 'Microsoft.BotService/botServices/channels@2022-09-15' = {
  parent: bot
  name: 'MsTeamsChannel'
  location: 'global'
  properties: {
    channelName: 'MsTeamsChannel'
    properties: {
      isEnabled: true
    }
  }
}

@description('TEAMS_APP_ID')
output appId string = withIdentity ? identity!.properties.clientId : appId

@description('TEAMS_APP_TYPE')
output appType string = withIdentity ? 'UserAssignedMSI' : 'SingleTenant'

@description('TEAMS_TENANT_ID')
output tenantId string = tenant().tenantId

@description('The identity to assign to the container app, VM or cluster that runs the bot; empty with an appId of your own.')
output identityResourceId string = withIdentity ? identity.id : ''
