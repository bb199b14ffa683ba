metadata description = 'The vault with the connection strings of those Redis servers that are not signed in to by identity.'

import { texts } from 'types.bicep'

@description('Name of the vault.')
@minLength(3)
@maxLength(24)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags texts

@description('Whether the vault can be reached from the internet (with a sign-in); otherwise by private endpoints only.')
param allowPublicNetwork bool

@description('Whether a deleted vault must stay recoverable for its whole retention. It cannot be taken back.')
param purgeProtection bool

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
    // Azure takes true or nothing.
    enablePurgeProtection: purgeProtection ? true : null
    publicNetworkAccess: allowPublicNetwork ? 'Enabled' : 'Disabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: allowPublicNetwork ? 'Allow' : 'Deny'
    }
  }
}

@description('Resource id.')
output id string = vault.id

@description('Name.')
output name string = vault.name

@description('URL with a slash at its end.')
output uri string = vault.properties.vaultUri
