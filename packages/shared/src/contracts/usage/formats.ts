/**
 * Where a count stands: the first alternative whose first path is there. Further paths of an alternative are added to
 * it where they are there. A path's steps are separated by `/`, since names of attributes hold dots.
 */
type Field = readonly (readonly string[])[]

/** One way in which usage is reported. */
export interface UsageFormat {
  readonly name: string
  /** Any of these names tells the format. */
  readonly marks: readonly string[]
  readonly input: Field
  readonly output: Field
  readonly cacheRead: Field
  readonly cacheCreation: Field
  readonly reasoning: Field
  /** Where the provider says input and output together. */
  readonly total: Field
  /** The input count leaves cached input out: it is added. */
  readonly cacheBesideInput?: true
  /** What the total has beyond input and output is output that the output count leaves out (thinking). */
  readonly excessIsOutput?: true
}

const OTEL = 'gen_ai.usage.'

/** All formats; the first whose mark is found is taken, so that the more telling marks come first. */
export const USAGE_FORMATS: readonly UsageFormat[] = [
  {
    // OpenTelemetry semantic conventions for generative AI: input includes cached input, output includes reasoning.
    name: 'opentelemetry',
    marks: [`${OTEL}input_tokens`, `${OTEL}output_tokens`],
    input: [[`${OTEL}input_tokens`]],
    output: [[`${OTEL}output_tokens`]],
    cacheRead: [[`${OTEL}cache_read.input_tokens`]],
    cacheCreation: [[`${OTEL}cache_creation.input_tokens`]],
    reasoning: [[`${OTEL}reasoning.output_tokens`]],
    total: [],
  },
  {
    // OpenAI chat completions, and who speaks like it: Azure, Mistral, DeepSeek, xAI, OpenRouter, LiteLLM. xAI, and Gemini
    // behind its OpenAI-compatible address, leave thinking out of completion_tokens; their total has it.
    name: 'openai-chat',
    marks: ['prompt_tokens', 'completion_tokens'],
    input: [['prompt_tokens']],
    output: [['completion_tokens']],
    cacheRead: [
      ['prompt_tokens_details/cached_tokens'],
      ['prompt_cache_hit_tokens'], // DeepSeek
      ['num_cached_tokens'], // Mistral
      ['cache_read_input_tokens'], // LiteLLM
    ],
    cacheCreation: [['prompt_tokens_details/cache_write_tokens'], ['cache_creation_input_tokens']],
    reasoning: [['completion_tokens_details/reasoning_tokens'], ['reasoning_tokens']],
    total: [['total_tokens']],
    excessIsOutput: true,
  },
  {
    // Gemini: the prompt includes cached content; thoughts and tool-use prompts stand beside candidates and prompt.
    name: 'gemini',
    marks: ['promptTokenCount', 'candidatesTokenCount', 'responseTokenCount', 'totalTokenCount'],
    input: [['promptTokenCount', 'toolUsePromptTokenCount']],
    output: [
      ['candidatesTokenCount', 'thoughtsTokenCount'],
      ['responseTokenCount', 'thoughtsTokenCount'], // Live API
    ],
    cacheRead: [['cachedContentTokenCount']],
    cacheCreation: [],
    reasoning: [['thoughtsTokenCount']],
    total: [['totalTokenCount']],
  },
  {
    // Bedrock Converse: inputTokens is what the cache did not have. totalTokens is not used: with caching it has been
    // reported both with and without cached input.
    name: 'bedrock-converse',
    marks: ['inputTokens', 'outputTokens'],
    input: [['inputTokens']],
    output: [['outputTokens']],
    cacheRead: [['cacheReadInputTokens'], ['cacheReadInputTokenCount']],
    cacheCreation: [['cacheWriteInputTokens'], ['cacheWriteInputTokenCount']],
    reasoning: [],
    total: [],
    cacheBesideInput: true,
  },
  {
    // OpenAI responses and realtime, LangChain's usage_metadata: all inclusive.
    name: 'openai-responses',
    marks: ['input_tokens_details', 'output_tokens_details', 'input_token_details', 'output_token_details'],
    input: [['input_tokens']],
    output: [['output_tokens']],
    cacheRead: [
      ['input_tokens_details/cached_tokens'],
      ['input_token_details/cached_tokens'],
      ['input_token_details/cache_read'],
    ],
    cacheCreation: [['input_tokens_details/cache_write_tokens'], ['input_token_details/cache_creation']],
    reasoning: [['output_tokens_details/reasoning_tokens'], ['output_token_details/reasoning']],
    total: [['total_tokens']],
  },
  {
    // Anthropic messages: input_tokens is what stands after the last cache breakpoint. Thinking is part of the output.
    name: 'anthropic',
    marks: ['input_tokens', 'output_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens'],
    input: [['input_tokens']],
    output: [['output_tokens']],
    cacheRead: [['cache_read_input_tokens']],
    cacheCreation: [
      ['cache_creation_input_tokens'],
      ['cache_creation/ephemeral_5m_input_tokens', 'cache_creation/ephemeral_1h_input_tokens'],
      ['cache_creation/ephemeral_1h_input_tokens'],
    ],
    reasoning: [],
    total: [],
    cacheBesideInput: true,
  },
]
