//! Where the window stood and how large it was, kept in the state folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tauri::{PhysicalPosition, PhysicalSize, WebviewWindow};

/// In pixels of the screen; while the window is maximised, of what it goes back to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geometry {
    pub x: i32,
    pub y: i32,
    pub width: u32,
    pub height: u32,
    pub maximised: bool,
}

/// Pixels of the window's upper left part that have to lie on a screen, so that it can be taken hold of.
const HOLD: i32 = 80;

fn file(state: &Path) -> PathBuf {
    state.join("window.json")
}

pub fn read(state: &Path) -> Option<Geometry> {
    serde_json::from_slice(&fs_err::read(file(state)).ok()?).ok()
}

/// A place that cannot be written costs the window's place, nothing else.
pub fn write(state: &Path, geometry: Geometry) {
    let written = fs_err::create_dir_all(state)
        .and_then(|()| serde_json::to_vec_pretty(&geometry).map_err(std::io::Error::from))
        .and_then(|text| fs_err::write(file(state), text));
    if let Err(error) = written {
        tracing::warn!(%error, "the window's place could not be kept");
    }
}

/// Can the window be taken hold of on one of these screens (left, top, width, height)?
fn is_in_reach(geometry: Geometry, screens: &[(i32, i32, u32, u32)]) -> bool {
    screens.iter().any(|&(left, top, width, height)| {
        let (right, bottom) = (left.saturating_add_unsigned(width), top.saturating_add_unsigned(height));
        geometry.x.saturating_add_unsigned(geometry.width) > left + HOLD
            && geometry.x < right - HOLD
            && geometry.y >= top - HOLD / 4
            && geometry.y < bottom - HOLD
    })
}

/// Puts the window where it was, if that is still on a screen.
pub fn restore(window: &WebviewWindow, geometry: Geometry) -> tauri::Result<()> {
    let screens: Vec<_> = window
        .available_monitors()?
        .iter()
        .map(|screen| (screen.position().x, screen.position().y, screen.size().width, screen.size().height))
        .collect();
    if geometry.width > 0 && geometry.height > 0 && is_in_reach(geometry, &screens) {
        window.set_size(PhysicalSize::new(geometry.width, geometry.height))?;
        window.set_position(PhysicalPosition::new(geometry.x, geometry.y))?;
    }
    if geometry.maximised {
        window.maximize()?;
    }
    Ok(())
}

/// What the window is now; of a maximised one the size before it stays.
pub fn now(window: &WebviewWindow, before: Geometry) -> Geometry {
    if window.is_maximized().unwrap_or(false) {
        return Geometry { maximised: true, ..before };
    }
    match (window.outer_position(), window.inner_size(), window.is_minimized()) {
        (Ok(position), Ok(size), Ok(false)) => {
            Geometry { x: position.x, y: position.y, width: size.width, height: size.height, maximised: false }
        }
        _ => before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_on_a_screen_that_is_gone_comes_back_to_one_that_is_there() {
        let screens = [(0, 0, 1920, 1080)];
        let at = |x, y| Geometry { x, y, width: 1280, height: 800, maximised: false };
        assert!(is_in_reach(at(100, 50), &screens) && is_in_reach(at(-1000, 0), &screens));
        assert!(!is_in_reach(at(2000, 50), &screens), "right of every screen");
        assert!(!is_in_reach(at(100, -500), &screens), "its head is above the screen");
        assert!(is_in_reach(at(2000, 50), &[(0, 0, 1920, 1080), (1920, 0, 1920, 1080)]));
    }

    #[test]
    fn a_place_comes_back() -> std::io::Result<()> {
        let state = tempfile::tempdir()?;
        assert_eq!(read(state.path()), None);
        let geometry = Geometry { x: 5, y: 6, width: 700, height: 600, maximised: true };
        write(state.path(), geometry);
        assert_eq!(read(state.path()), Some(geometry));
        fs_err::write(file(state.path()), "{")?;
        assert_eq!(read(state.path()), None, "what cannot be read is no place");
        Ok(())
    }
}
