metadata description = 'A private endpoint to one resource, with its name in a private DNS zone.'

import { texts } from 'types.bicep'

@description('Name of the endpoint.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags texts

@description('Resource id of the subnet it stands in.')
param subnetId string

@description('Resource id of what it leads to.')
param targetId string

@description('Which service of the target.')
@allowed(['blob', 'queue', 'table', 'vault', 'redisCache', 'redisEnterprise'])
param groupId string

@description('Resource id of the DNS zone.')
param zoneId string

resource endpoint 'Microsoft.Network/privateEndpoints@2025-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: [
      {
        name: groupId
        properties: {
          privateLinkServiceId: targetId
          groupIds: [groupId]
        }
      }
    ]
  }

  resource zoneGroup 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: groupId
          properties: { privateDnsZoneId: zoneId }
        }
      ]
    }
  }
}
