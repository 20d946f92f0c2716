/** As much of a browser's document as the printed class touches: elements by id, each with a `.status` child. */
export class Page {
  #elements = new Map();

  getElementById(id) {
    if (!this.#elements.has(id)) this.#elements.set(id, new Element());
    return this.#elements.get(id);
  }
}

class Element {
  style = {};
  className = '';
  textContent = '';
  #children = new Map();

  querySelector(selector) {
    if (!this.#children.has(selector)) this.#children.set(selector, new Element());
    return this.#children.get(selector);
  }
}
