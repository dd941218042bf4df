// eframe asks for an animation frame sixty times a second, also where nothing is to be drawn, and the asking alone costs
// a browser some hundredths of a core. While nobody touches the window and nothing was drawn, the next look waits a little;
// whatever a person does wakes it at once.

const REST = 500; // milliseconds without input or drawing, then
const WAIT = 200; // between two looks

const TOUCHES = [
  'pointerdown', 'pointermove', 'pointerup', 'wheel', 'keydown', 'keyup', 'touchstart', 'touchmove', 'touchend',
  'dragover', 'drop', 'paste', 'input', 'compositionstart', 'compositionend', 'focus', 'blur', 'resize',
];

// `drawn` counts the frames that were drawn.
export function calm(drawn) {
  const ask = window.requestAnimationFrame.bind(window);
  const cancel = window.cancelAnimationFrame.bind(window);
  const waiting = new Map();
  let active = performance.now();
  let seen = drawn();
  let last = 0;

  function wake() {
    active = performance.now();
    for (const look of waiting.values()) {
      clearTimeout(look.timer);
      look.frame ??= ask(look.run);
    }
  }

  window.requestAnimationFrame = (callback) => {
    const now = drawn();
    if (now !== seen) {
      seen = now;
      active = performance.now();
    }
    if (performance.now() - active < REST) return ask(callback);
    last -= 1; // The browser's own numbers are positive.
    const name = last;
    const look = { timer: null, frame: null, run: null };
    look.run = (time) => {
      waiting.delete(name);
      callback(time);
    };
    look.timer = setTimeout(() => { look.frame ??= ask(look.run); }, WAIT);
    waiting.set(name, look);
    return name;
  };

  window.cancelAnimationFrame = (name) => {
    const look = waiting.get(name);
    if (!look) return cancel(name);
    clearTimeout(look.timer);
    if (look.frame !== null) cancel(look.frame);
    waiting.delete(name);
  };

  for (const touch of TOUCHES) window.addEventListener(touch, wake, { capture: true, passive: true });
  document.addEventListener('visibilitychange', wake);
  return wake;
}
