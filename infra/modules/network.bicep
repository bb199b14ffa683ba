metadata description = 'The virtual network of the app: a subnet that its instances run in, and one for private endpoints.'

import { texts } from 'types.bicep'

@description('Name of the network.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags texts

@description('Addresses of the network, a /24 or larger that overlaps with no network it is peered with.')
param addressPrefix string

@description('Whether calls to the internet leave through a NAT gateway, from one fixed address. Without it only what is private is reached.')
param natGateway bool

// Flex Consumption takes no subnet with an underscore in its name, and needs a /27 at least.
var functionsSubnetName = 'functions'
var endpointsSubnetName = 'endpoints'

resource endpointsGroup 'Microsoft.Network/networkSecurityGroups@2025-01-01' = {
  name: '${name}-${endpointsSubnetName}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'allow-network'
        properties: {
          description: 'The instances of the app reach storage, the vault and Redis.'
          direction: 'Inbound'
          access: 'Allow'
          priority: 100
          protocol: 'Tcp'
          sourceAddressPrefix: 'VirtualNetwork'
          sourcePortRange: '*'
          destinationAddressPrefix: 'VirtualNetwork'
          destinationPortRanges: ['443', '6379-6380', '8500-8599', '10000', '13000-13999', '15000-15999']
        }
      }
      {
        name: 'deny-others'
        properties: {
          direction: 'Inbound'
          access: 'Deny'
          priority: 4096
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource outboundAddress 'Microsoft.Network/publicIPAddresses@2025-01-01' = if (natGateway) {
  name: '${name}-outbound'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: {
    publicIPAllocationMethod: 'Static'
    publicIPAddressVersion: 'IPv4'
  }
}

resource gateway 'Microsoft.Network/natGateways@2025-01-01' = if (natGateway) {
  name: '${name}-outbound'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: {
    publicIpAddresses: [{ id: outboundAddress.id }]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2025-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
    subnets: [
      {
        name: functionsSubnetName
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 0)
          defaultOutboundAccess: false
          natGateway: natGateway ? { id: gateway.id } : null
          delegations: [
            {
              name: 'functions'
              properties: { serviceName: 'Microsoft.App/environments' }
            }
          ]
        }
      }
      {
        name: endpointsSubnetName
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 1)
          defaultOutboundAccess: false
          networkSecurityGroup: { id: endpointsGroup.id }
          privateEndpointNetworkPolicies: 'NetworkSecurityGroupEnabled'
        }
      }
    ]
  }

  resource functionsSubnet 'subnets' existing = {
    name: functionsSubnetName
  }

  resource endpointsSubnet 'subnets' existing = {
    name: endpointsSubnetName
  }
}

@description('Resource id of the network.')
output id string = network.id

@description('Resource id of the subnet that the instances run in.')
output functionsSubnetId string = network::functionsSubnet.id

@description('Resource id of the subnet for private endpoints.')
output endpointsSubnetId string = network::endpointsSubnet.id

@description('The address that calls to the internet come from, for firewalls; empty without a NAT gateway.')
output outboundAddress string = natGateway ? outboundAddress!.properties.ipAddress : ''
