// The user's tasks, by the tasks gateway. It keeps no event for who is not there, so a list that has missed some is put right by
// what comes later: the application tells of each task again from time to time.

import { Link } from './link.js';

const PING_INTERVAL_MS = 25_000;
const SILENCE_MS_MAX = 40_000;
const TASKS_MAX = 8;

export class Tasks {
  #link;
  /** By task id, the newest last: `{title, isDone}`. */
  #tasks = new Map();

  /** `url` is the gateway's, such as `ws://localhost:8004`. */
  constructor({ url, user, token, onState }) {
    const query = new URLSearchParams({ user_id: user, token });
    this.#link = new Link({
      url: () => `${url}/ws?${query}`,
      onText: (text) => this.#frame(JSON.parse(text)),
      onState,
      silenceMsMax: SILENCE_MS_MAX,
    });
    setInterval(() => this.#link.send('{"type":"ping"}'), PING_INTERVAL_MS);
  }

  open() {
    this.#link.open();
  }

  #frame({ type, event }) {
    if (type === 'connected') this.#link.welcome();
    else if (type === 'task_update' && event?.task_id !== undefined) this.#update(event);
  }

  #update({ event_type: type, task_id: id, title }) {
    const task = this.#tasks.get(String(id)) ?? { title: '', isDone: false };
    if (type === 'task.deleted') {
      this.#tasks.delete(String(id));
    } else {
      this.#tasks.set(String(id), { title: String(title ?? task.title), isDone: type === 'task.completed' });
    }
    for (const [oldest] of [...this.#tasks].slice(0, -TASKS_MAX)) this.#tasks.delete(oldest);
    this.#paint();
  }

  #paint() {
    const template = document.getElementById('template-of-task').content.firstElementChild;
    const elements = [...this.#tasks].reverse().map(([id, { title, isDone }]) => {
      const element = template.cloneNode(true);
      element.dataset.id = id;
      element.classList.toggle('done', isDone);
      element.querySelector('.title').textContent = title;
      element.querySelector('.status').textContent = isDone ? 'done' : 'open';
      return element;
    });
    document.getElementById('task-list').replaceChildren(...elements);
    document.getElementById('tasks').toggleAttribute('data-filled', elements.length > 0);
  }
}
