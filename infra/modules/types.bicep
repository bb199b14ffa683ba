@export()
@description('Texts by name.')
type texts = {
  *: string
}

@export()
@description('A Redis that the app signs in to with Entra ID, as its user-assigned identity.')
@sealed()
type identityConnection = {
  @description('Name that requests use: a letter, then letters, digits and underscores.')
  @minLength(1)
  @maxLength(64)
  name: string

  @description('Host name of the cache and nothing else.')
  hostName: string

  @description('Port; by default 10000 for Azure Managed Redis, otherwise 6380.')
  @minValue(1)
  @maxValue(65535)
  port: int?
}

@export()
@description('The app\'s own settings, each with a default in the app.')
@sealed()
type tuningOptions = {
  @description('Seconds that one message works on its range before it hands itself on.')
  @minValue(10)
  @maxValue(540)
  rangeSeconds: int?

  @description('Seconds between two checkpoints of a range.')
  @minValue(1)
  @maxValue(20)
  checkpointSeconds: int?

  @description('Seconds without a sign of its worker after which a range is sent again.')
  @minValue(5)
  @maxValue(600)
  silenceSeconds: int?

  @description('Seconds without any progress after which a migration is given up.')
  @minValue(60)
  stallSeconds: int?

  @description('Milliseconds of server time that one page should take.')
  @minValue(1)
  @maxValue(1000)
  pageMilliseconds: int?

  @description('Keys above this many MiB are copied in chunks.')
  @minValue(1)
  @maxValue(256)
  bigKeyMib: int?

  @description('MiB that one instance may have read and not yet written.')
  @minValue(1)
  @maxValue(4096)
  memoryMib: int?

  @description('How keys stand in findings: by their names or by the SHA-256 of these.')
  findingKeys: ('name' | 'hash')?
}

@export()
@description('How the instances of the app are sized and how many messages each works on.')
@sealed()
type scaleOptions = {
  @description('Memory of one instance in MB.')
  instanceMemoryMB: (512 | 2048 | 4096)

  @description('The most instances that may run.')
  @minValue(40)
  @maxValue(1000)
  maximumInstanceCount: int

  @description('Instances that always wait for the durable tally and its watchers; 0 for none.')
  @minValue(0)
  durableAlwaysReady: int

  @description('Instances that always wait for ranges; 0 for none.')
  @minValue(0)
  copyAlwaysReady: int

  @description('Messages that one instance fetches at once.')
  @minValue(1)
  @maxValue(32)
  queueBatchSize: int

  @description('An instance fetches again when no more than this many messages are being worked on.')
  @minValue(0)
  queueNewBatchThreshold: int
}
