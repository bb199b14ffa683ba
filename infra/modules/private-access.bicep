metadata description = 'Private endpoints and DNS zones for storage, the vault and Redis caches.'

import { texts } from 'types.bicep'

@description('Prefix of the names of the endpoints.')
param namePrefix string

@description('Region.')
param location string

@description('Tags.')
param tags texts

@description('Name of the network.')
param networkName string

@description('Resource id of the subnet for private endpoints.')
param subnetId string

@description('Resource id of the storage account.')
param storageId string

@description('Resource id of the vault.')
param vaultId string

@description('Resource ids of Azure Cache for Redis instances.')
param redisCacheIds string[]

@description('Resource ids of Azure Managed Redis instances.')
param managedRedisIds string[]

@description('Name of an Azure Managed Redis in the resource group of this module; empty for none.')
param ownManagedRedisName string

var storageServices = ['blob', 'queue', 'table']
var allManagedRedisIds = concat(
  managedRedisIds,
  empty(ownManagedRedisName) ? [] : [resourceId('Microsoft.Cache/redisEnterprise', ownManagedRedisName)]
)

module storageZones 'private-dns-zone.bicep' = [
  for service in storageServices: {
    params: {
      name: 'privatelink.${service}.${environment().suffixes.storage}'
      tags: tags
      networkName: networkName
    }
  }
]

module storageEndpoints 'private-endpoint.bicep' = [
  for (service, index) in storageServices: {
    params: {
      name: '${namePrefix}-${service}'
      location: location
      tags: tags
      subnetId: subnetId
      targetId: storageId
      groupId: service
      zoneId: storageZones[index].outputs.id
    }
  }
]

module vaultZone 'private-dns-zone.bicep' = {
  params: {
    // The private zone of vaults has another name than their public suffix: vaultcore in place of vault.
    name: 'privatelink${replace(environment().suffixes.keyvaultDns, '.vault.', '.vaultcore.')}'
    tags: tags
    networkName: networkName
  }
}

module vaultEndpoint 'private-endpoint.bicep' = {
  params: {
    name: '${namePrefix}-vault'
    location: location
    tags: tags
    subnetId: subnetId
    targetId: vaultId
    groupId: 'vault'
    zoneId: vaultZone.outputs.id
  }
}

module redisCacheZone 'private-dns-zone.bicep' = if (!empty(redisCacheIds)) {
  params: {
    name: 'privatelink.redis.cache.windows.net'
    tags: tags
    networkName: networkName
  }
}

module redisCacheEndpoints 'private-endpoint.bicep' = [
  for id in redisCacheIds: {
    params: {
      name: '${namePrefix}-cache-${last(split(id, '/'))}'
      location: location
      tags: tags
      subnetId: subnetId
      targetId: id
      groupId: 'redisCache'
      zoneId: redisCacheZone!.outputs.id
    }
  }
]

module managedRedisZone 'private-dns-zone.bicep' = if (!empty(allManagedRedisIds)) {
  params: {
    name: 'privatelink.redis.azure.net'
    tags: tags
    networkName: networkName
  }
}

module managedRedisEndpoints 'private-endpoint.bicep' = [
  for id in allManagedRedisIds: {
    params: {
      name: '${namePrefix}-managed-${last(split(id, '/'))}'
      location: location
      tags: tags
      subnetId: subnetId
      targetId: id
      groupId: 'redisEnterprise'
      zoneId: managedRedisZone!.outputs.id
    }
  }
]
