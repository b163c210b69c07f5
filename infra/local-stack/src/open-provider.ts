import { openNativeProvider } from './native-provider.ts'
import { chooseProvider, type ServerProvider } from './provider.ts'

/**
 * Opens what TOLLGATE_STACK chooses for servers of our own, whatever servers the environment names beside it. Docker is loaded
 * only when it is asked for. @throws StackError when that can not be had here
 */
export const openProvider = async (env: NodeJS.ProcessEnv, log: (line: string) => void): Promise<ServerProvider> => {
  if (chooseProvider({ TOLLGATE_STACK: env.TOLLGATE_STACK }) !== 'docker') return openNativeProvider(log)
  const { openDockerProvider } = await import('./docker/docker-provider.ts')
  return openDockerProvider()
}
