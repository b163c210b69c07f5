import { Job, type JobJson, type JobProgress, Queue, Worker } from 'bullmq'

/** JSON that has been written already, as the data of a job. */
export class WrittenJson {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  // Of no use to anybody: BullMQ makes JSON of data before it asks the job.
  toJSON(): null {
    return null
  }
}

class TextJob<Data, Result, Name extends string, Progress extends JobProgress> extends Job<
  Data,
  Result,
  Name,
  Progress
> {
  override asJSON(): JobJson {
    const json = super.asJSON()
    if (!(this.data instanceof WrittenJson)) return json
    // Bytes go to Redis as they are; a text, which is what BullMQ's type speaks of, ioredis would copy once more in V8's heap.
    const bytes: unknown = Buffer.from(this.data.text)
    return { ...json, data: bytes as string }
  }
}

/** A queue that puts data of its jobs which is `WrittenJson` into Redis as it is. */
export class TextQueue extends Queue {
  protected override get Job(): typeof Job {
    return TextJob
  }
}

/** A worker whose jobs have as data the very text that stands in Redis: what of it has to be parsed is the handler's matter. */
export class TextWorker extends Worker<unknown, unknown> {
  protected override createJob(json: JobJson, jobId: string): Job<unknown, unknown> {
    const job = super.createJob({ ...json, data: '' }, jobId)
    job.data = json.data
    return job
  }
}
