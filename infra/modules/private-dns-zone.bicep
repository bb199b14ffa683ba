metadata description = 'A private DNS zone that a virtual network asks.'

import { texts } from 'types.bicep'

@description('Name of the zone.')
param name string

@description('Tags.')
param tags texts

@description('Name of the network.')
param networkName string

resource network 'Microsoft.Network/virtualNetworks@2025-01-01' existing = {
  name: networkName
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: name
  location: 'global'
  tags: tags
}

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = {
  parent: zone
  name: networkName
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: { id: network.id }
  }
}

@description('Resource id of the zone.')
output id string = zone.id
