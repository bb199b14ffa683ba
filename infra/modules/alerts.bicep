metadata description = 'Alert rules over the app\'s telemetry, a workbook to look at it, and whom alerts are sent to.'

import { texts } from 'types.bicep'

@description('Name of the Application Insights resource.')
param insightsName string

@description('Token that names end in.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags texts

@description('Mail address that alerts are sent to; empty for nobody: alerts then only show in the portal.')
param mailAddress string

@description('Milliseconds that a page may take on the source on average over five minutes.')
@minValue(1)
param sourceLatencyMs int

@description('Mode live: seconds that the oldest change may have waited.')
@minValue(1)
param liveLagSeconds int

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource mails 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(mailAddress)) {
  name: 'ag-${token}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'keyferry'
    emailReceivers: [
      {
        name: 'operators'
        emailAddress: mailAddress
        useCommonAlertSchema: true
      }
    ]
  }
}

var rules = [
  {
    name: 'stalled'
    title: 'Keyferry: a migration has stalled'
    description: 'No range of a running migration has given a sign of life for five minutes.'
    severity: 1
    query: loadTextContent('../queries/stalled.kql')
    measure: 'Seconds'
    aggregation: 'Maximum'
    threshold: 300
  }
  {
    name: 'failed'
    title: 'Keyferry: a migration has failed'
    description: 'A migration ended as failed, or a range of one was given up.'
    severity: 1
    query: loadTextContent('../queries/failed.kql')
    measure: 'Failures'
    aggregation: 'Maximum'
    threshold: 0
  }
  {
    name: 'findings'
    title: 'Keyferry: a migration has findings'
    description: 'Keys were not copied as asked; GET /api/migrations/{id}/findings names them.'
    severity: 2
    query: loadTextContent('../queries/findings.kql')
    measure: 'Findings'
    aggregation: 'Maximum'
    threshold: 0
  }
  {
    name: 'source-latency'
    title: 'Keyferry: the source answers slowly'
    description: 'Pages take the source longer than is set; its other clients may feel it.'
    severity: 2
    query: loadTextContent('../queries/source-latency.kql')
    measure: 'Milliseconds'
    aggregation: 'Average'
    threshold: sourceLatencyMs
  }
  {
    name: 'live-lag'
    title: 'Keyferry: a target lags behind'
    description: 'Mode live: changes of the source have waited longer than is set to come to the target, or nobody follows it.'
    severity: 2
    query: loadTextContent('../queries/live-lag.kql')
    measure: 'Seconds'
    aggregation: 'Maximum'
    threshold: liveLagSeconds
  }
  {
    name: 'live-gaps'
    title: 'Keyferry: changes of a source may have been missed'
    description: 'Mode live: a time in which changes were not told. A pass over all keys repairs it; until then no cut-over is possible.'
    severity: 2
    query: loadTextContent('../queries/live-gaps.kql')
    measure: 'Gaps'
    aggregation: 'Maximum'
    threshold: 0
  }
]

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: 'alert-${rule.name}-${token}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.title
      description: rule.description
      severity: rule.severity
      enabled: true
      autoMitigate: true
      scopes: [insights.id]
      targetResourceTypes: ['microsoft.insights/components']
      evaluationFrequency: 'PT5M'
      windowSize: 'PT5M'
      // The tables come into being with the first telemetry, after the deployment.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: rule.query
            metricMeasureColumn: rule.measure
            timeAggregation: rule.aggregation
            operator: 'GreaterThan'
            threshold: rule.threshold
            dimensions: [
              {
                name: 'Migration'
                operator: 'Include'
                values: ['*']
              }
            ]
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: empty(mailAddress) ? [] : [mails.id]
      }
    }
  }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(insights.id, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Keyferry migrations'
    category: 'workbook'
    version: 'Notebook/1.0'
    sourceId: insights.id
    serializedData: loadTextContent('../workbook/migrations.workbook.json')
  }
}
