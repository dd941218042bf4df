// Runs before the window's own scripts: notes every frame that the page publishes, with the time at which its drawing
// was handed over, and every movement of the pointer, all in milliseconds since the page was asked for.
(() => {
  const log = { frames: [], events: [] };
  window.__log = log;
  let shown;
  Object.defineProperty(window, '__paser', {
    configurable: true,
    get: () => shown,
    set: (state) => {
      shown = state;
      const frame = {
        began: state.now_ms,
        layout: state.frame_ms,
        work_before: state.last_frame_work_ms,
        welcome: 'demo map' in state.rects,
        points: state.map_points,
        selected: state.selection ? state.selection.selected : 0,
        budget: JSON.stringify(state.plan.budget),
        provisional: state.provisional,
        waiting: state.waiting,
        brushed: state.brushed_rows,
      };
      log.frames.push(frame);
      // The first after the page's animation frame is through, painting included.
      queueMicrotask(() => { frame.done = performance.now(); });
      requestAnimationFrame(() => { frame.next = performance.now(); });
    },
  });
  for (const kind of ['mousemove', 'pointerdown', 'pointerup']) {
    addEventListener(kind, (event) => log.events.push({ kind, at: event.timeStamp }), { capture: true });
  }
})();
