metadata description = 'An Azure Managed Redis to migrate to, which the app signs in to as its identity.'

import { texts } from 'types.bicep'

@description('Name of the instance.')
@minLength(1)
@maxLength(60)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags texts

@description('Size.')
param sku string

@description('How keys are spread. With OSSCluster clients reach each node on a port of its own, 8500 to 8599, besides 10000.')
@allowed(['EnterpriseCluster', 'NoCluster', 'OSSCluster'])
param clusteringPolicy string

@description('What goes when memory is full.')
@allowed([
  'NoEviction'
  'VolatileLRU'
  'VolatileLFU'
  'VolatileTTL'
  'VolatileRandom'
  'AllKeysLRU'
  'AllKeysLFU'
  'AllKeysRandom'
])
param evictionPolicy string

@description('Whether there is a replica.')
param highAvailability bool

@description('Whether the instance can be reached from the internet (with a sign-in); otherwise by private endpoints only.')
param allowPublicNetwork bool

@description('Name of the app\'s identity.')
param identityName string

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource cluster 'Microsoft.Cache/redisEnterprise@2025-07-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: sku }
  properties: {
    highAvailability: highAvailability ? 'Enabled' : 'Disabled'
    minimumTlsVersion: '1.2'
    publicNetworkAccess: allowPublicNetwork ? 'Enabled' : 'Disabled'
  }
}

resource database 'Microsoft.Cache/redisEnterprise/databases@2025-07-01' = {
  parent: cluster
  name: 'default'
  properties: {
    clientProtocol: 'Encrypted'
    port: 10000
    clusteringPolicy: clusteringPolicy
    evictionPolicy: evictionPolicy
    accessKeysAuthentication: 'Disabled'
  }
}

resource access 'Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments@2025-07-01' = {
  parent: database
  // Letters and digits only.
  name: 'keyferry${uniqueString(identity.id)}'
  properties: {
    accessPolicyName: 'default'
    user: { objectId: identity.properties.principalId }
  }
}

@description('Host name.')
output hostName string = cluster.properties.hostName

@description('Port.')
output port int = 10000
