/** Sets an entry of a map that serves as a cache; when the map is full, the entry set longest ago goes. */
export function setBounded<Key, Value>(map: Map<Key, Value>, limit: number, key: Key, value: Value): void {
  // Set again is set anew: it moves to the end of the order in which a Map keeps its entries.
  map.delete(key)
  if (map.size >= limit) {
    const oldest = map.keys().next()
    if (!oldest.done) map.delete(oldest.value)
  }
  map.set(key, value)
}
