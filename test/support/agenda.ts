/** What is to happen, soonest first: a binary heap, so that a simulation of many has no list to sort. */
export class Agenda<T extends { at: number }> {
  private readonly heap: T[] = [];

  add(item: T): void {
    const { heap } = this;
    let place = heap.push(item) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (heap[parent]!.at <= item.at) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = item;
  }

  take(): T | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) this.sink(last);
    return first;
  }

  private sink(item: T): void {
    const { heap } = this;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child += 1;
      if (heap[child]!.at >= item.at) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = item;
  }
}
