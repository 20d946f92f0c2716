import { randomUUID } from 'node:crypto';

/** The request by which Dapr delivers `data`: a structured CloudEvent. Members of `more` replace or add. */
export function structured(data, more = {}) {
  return {
    headers: { 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify(envelope(data, more)),
  };
}

export function envelope(data, more = {}) {
  return {
    id: randomUUID(),
    source: 'backend',
    specversion: '1.0',
    type: 'com.dapr.event.sent',
    datacontenttype: 'application/json',
    topic: 'task-updates',
    pubsubname: 'kafka-pubsub',
    ...(data === undefined ? {} : { data }),
    ...more,
  };
}
