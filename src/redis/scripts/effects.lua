-- Put in front of scripts that write after reading the clock. Before 5.0 such a script must have its effects replicated,
-- not itself; from 7.0 that is the only way and the call is deprecated.
if redis.replicate_commands then redis.replicate_commands() end
