/**
 * A `fetch` that sends each request to the next of several instances, as a load balancer without health checks would. A
 * client that repeats a request comes to another instance.
 */
export function balanceRequests(urls: readonly string[]): typeof fetch {
  let turn = 0
  return (input, init) => {
    const target = new URL(input instanceof Request ? input.url : input)
    const instance = new URL(urls[turn++ % urls.length] ?? target)
    target.host = instance.host
    return fetch(target, init)
  }
}
