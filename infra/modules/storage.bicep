metadata description = 'The storage account of the app: its package, its queue, its ledger, its durable state. No shared keys.'

import { texts } from 'types.bicep'

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags texts

@description('Redundancy.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param sku string

@description('Container that holds the deployed package.')
param packageContainerName string

@description('Container for backups.')
param backupContainerName string

@description('Days after which backups are deleted; 0: never.')
@minValue(0)
param backupRetentionInDays int

@description('Whether the account can be reached from the internet (with a sign-in); otherwise by private endpoints only.')
param allowPublicNetwork bool

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: allowPublicNetwork ? 'Enabled' : 'Disabled'
    networkAcls: {
      bypass: 'None'
      defaultAction: allowPublicNetwork ? 'Allow' : 'Deny'
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource packages 'containers' = {
      name: packageContainerName
      properties: { publicAccess: 'None' }
    }

    resource backups 'containers' = {
      name: backupContainerName
      properties: { publicAccess: 'None' }
    }
  }

  resource lifecycle 'managementPolicies' = if (backupRetentionInDays > 0) {
    name: 'default'
    properties: {
      policy: {
        rules: [
          {
            name: 'old-backups'
            type: 'Lifecycle'
            definition: {
              filters: { blobTypes: ['blockBlob'], prefixMatch: ['${backupContainerName}/'] }
              actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: backupRetentionInDays } } }
            }
          }
        ]
      }
    }
  }
}

@description('Resource id.')
output id string = account.id

@description('Name.')
output name string = account.name

@description('URL of the container for backups.')
output backupContainerUrl string = 'https://${account.name}.blob.${environment().suffixes.storage}/${backupContainerName}'

@description('URL of the container that holds the deployed package.')
output packageContainerUrl string = 'https://${account.name}.blob.${environment().suffixes.storage}/${packageContainerName}'
