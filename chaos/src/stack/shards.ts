/** Queue shards of the stack: the services' default. */
export const SHARDS = 2
