import { type Edit, MutantError } from './mutation.ts'

/** The text with the edit made. @throws MutantError where the text to be found stands there not at all, or twice */
export function applyEdit(text: string, { file, find, replace }: Edit): string {
  const found = text.split(find).length - 1
  if (found !== 1) throw new MutantError(`${file}: stands there ${found} times: ${find}`)
  return text.split(find).join(replace)
}
