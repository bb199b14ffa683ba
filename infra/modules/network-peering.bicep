metadata description = 'One direction of a peering between two virtual networks.'

@description('Name of the network that this direction starts from; in the resource group of this module.')
param networkName string

@description('Name of this direction.')
param name string

@description('Resource id of the network that it leads to.')
param remoteNetworkId string

resource network 'Microsoft.Network/virtualNetworks@2025-01-01' existing = {
  name: networkName
}

resource peering 'Microsoft.Network/virtualNetworks/virtualNetworkPeerings@2025-01-01' = {
  parent: network
  name: name
  properties: {
    remoteVirtualNetwork: { id: remoteNetworkId }
    allowVirtualNetworkAccess: true
    allowForwardedTraffic: false
    allowGatewayTransit: false
    useRemoteGateways: false
  }
}
