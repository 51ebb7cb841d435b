//! An address as a picture for a phone's camera.

use std::io::{self, IsTerminal};

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use super::charset;

/// The picture, if the terminal can show it: it needs block characters, room for them if it is known
/// how much there is, and a person to look.
pub(super) fn picture(address: &str, room: Option<usize>) -> Option<String> {
    let shows_blocks = io::stderr().is_terminal() && charset::shows_all();
    if address.is_empty() || !shows_blocks {
        return None;
    }
    draw(address).filter(|picture| fits(picture, room))
}

fn fits(picture: &str, room: Option<usize>) -> bool {
    room.is_none_or(|room| picture.lines().all(|line| line.chars().count() <= room))
}

fn draw(address: &str) -> Option<String> {
    // The least redundancy makes the smallest picture, and a screen has no stains.
    let code = QrCode::with_error_correction_level(address, EcLevel::L).ok()?;
    // Light on dark: most terminals are dark, and cameras read both.
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_fits_a_small_terminal() {
        let picture = draw("https://gitlab.example.com/oauth/device?user_code=ABCD1234").expect("short enough");
        assert!(picture.lines().count() <= 24, "{}", picture.lines().count());
        let wide = picture.lines().map(|line| line.chars().count()).max().expect("it has lines");
        assert!(wide <= 45);
        assert!(fits(&picture, None) && fits(&picture, Some(wide)) && !fits(&picture, Some(wide - 1)));
    }
}
