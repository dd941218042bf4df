// Starts the window, takes the token out of the address bar, keeps the browser's own keys away from the window, restarts
// it after a lost WebGL context, and says so in HTML when it stopped.
import { calm } from './calm.js';
import init, { Studio, frames } from './ui.js';

// The token opens the engine to whoever reads it: it stays in this tab and leaves address bar, history and bookmarks. A
// reload finds it again, and an address with a new token replaces it. The own engine is the desktop program's, where it shows the
// project of another program. `web.rs` reads these names.
function keepDoor() {
  const query = new URLSearchParams(location.search);
  if (!query.has('token')) return;
  try {
    for (const name of ['engine', 'token', 'own', 'own-token']) {
      sessionStorage.setItem(`paser-${name}`, query.get(name) ?? '');
      query.delete(name);
    }
    history.replaceState(null, '', location.pathname + (query.size ? `?${query}` : '') + location.hash);
  } catch (error) {
    console.warn(error); // A browser that keeps nothing needs the address as it is.
  }
}
keepDoor();

const byId = (id) => document.getElementById(id);
let running = null;

function banner(what, more, detail = '') {
  byId('banner-what').textContent = what;
  byId('banner-more').textContent = more;
  byId('banner-detail').textContent = detail;
  byId('banner').hidden = false;
}

function hide() {
  byId('banner').hidden = true;
}

// A canvas keeps its dead context for ever: every start gets a new one.
function freshCanvas() {
  const old = byId('canvas');
  const canvas = document.createElement('canvas');
  canvas.id = 'canvas';
  old.replaceWith(canvas);
  canvas.addEventListener('webglcontextlost', (event) => {
    event.preventDefault();
    banner('The graphics context was lost.', 'The window starts again with everything as it was.');
    setTimeout(restart, 300);
  });
  return canvas;
}

async function start() {
  freshCanvas();
  running = await Studio.start('canvas');
  window.__paser_starts = (window.__paser_starts || 0) + 1;
  byId('loading')?.remove();
  hide();
}

let restarting = false;
async function restart() {
  if (restarting) return;
  restarting = true;
  try {
    running?.stop();
    await start();
  } catch (error) {
    console.error(error);
    location.reload();
  } finally {
    restarting = false;
  }
}

// Keys that a browser would take: the palette, find, save, zoom.
const OURS = new Set(['k', 'f', 's', 'e', 'o', 'z', 'y', '0', '+', '-', '=', ',']);
window.addEventListener('keydown', (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && OURS.has(event.key.toLowerCase())) event.preventDefault();
}, { capture: true });

const NOTHING_LOST = 'Nothing is lost: every edit is on disk. Reload to go on where you were.';

// Says that the window stopped, and has the engine write a report of it.
async function stopped(panic) {
  const what = 'The window stopped because of an error in it.';
  banner(what, NOTHING_LOST, panic);
  try {
    const answer = await fetch(`${sessionStorage.getItem('paser-engine') ?? ''}/api/request`, {
      method: 'POST',
      headers: { 'Authorization': `Bearer ${sessionStorage.getItem('paser-token')}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ do: 'window-crashed', what: panic }),
    });
    const { value } = await answer.json();
    if (value?.path) banner(what, `${NOTHING_LOST} A report for the makers of the program is in ${value.path}.`, panic);
  } catch (error) {
    console.warn(error); // The engine may be gone too; the words stand on the page.
  }
}

byId('banner-reload').addEventListener('click', () => location.reload());

setInterval(() => {
  const panic = running?.panic();
  if (panic) {
    running = null;
    stopped(panic);
  }
}, 1000);

try {
  await init({ module_or_path: './ui_bg.wasm' });
  const wake = calm(frames);
  await start();
  wake();
} catch (error) {
  console.error(error);
  byId('loading')?.remove();
  banner('The window could not start.', 'It needs WebGL 2 and WebAssembly. ' + (navigator.userAgent.includes('Firefox') ? 'Check webgl in about:config.' : 'Try a current browser.'), String(error));
}
