//! Letters for captions: 5 by 7 dots each, upper case only.

use image::{Rgb, RgbImage};

/// How many pixels a dot is across.
const DOT: u32 = 2;

/// How high a line of text is, in pixels.
pub(super) const HEIGHT: u32 = 7 * DOT;

/// From one letter to the next, in pixels.
const ADVANCE: u32 = 6 * DOT;

/// Each letter as seven rows of five dots, the highest bit at the left.
const GLYPHS: [(char, [u8; 7]); 44] = [
    ('0', [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110]),
    ('1', [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110]),
    ('2', [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111]),
    ('3', [0b11110, 0b00001, 0b00001, 0b01110, 0b00001, 0b00001, 0b11110]),
    ('4', [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010]),
    ('5', [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110]),
    ('6', [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110]),
    ('7', [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000]),
    ('8', [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110]),
    ('9', [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100]),
    ('A', [0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001]),
    ('B', [0b11110, 0b10001, 0b10001, 0b11110, 0b10001, 0b10001, 0b11110]),
    ('C', [0b01110, 0b10001, 0b10000, 0b10000, 0b10000, 0b10001, 0b01110]),
    ('D', [0b11110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b11110]),
    ('E', [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111]),
    ('F', [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000]),
    ('G', [0b01110, 0b10001, 0b10000, 0b10111, 0b10001, 0b10001, 0b01110]),
    ('H', [0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001]),
    ('I', [0b01110, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110]),
    ('J', [0b00111, 0b00010, 0b00010, 0b00010, 0b00010, 0b10010, 0b01100]),
    ('K', [0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001]),
    ('L', [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111]),
    ('M', [0b10001, 0b11011, 0b10101, 0b10101, 0b10001, 0b10001, 0b10001]),
    ('N', [0b10001, 0b11001, 0b10101, 0b10011, 0b10001, 0b10001, 0b10001]),
    ('O', [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110]),
    ('P', [0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000]),
    ('Q', [0b01110, 0b10001, 0b10001, 0b10001, 0b10101, 0b10010, 0b01101]),
    ('R', [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001]),
    ('S', [0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110]),
    ('T', [0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100]),
    ('U', [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110]),
    ('V', [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01010, 0b00100]),
    ('W', [0b10001, 0b10001, 0b10001, 0b10101, 0b10101, 0b11011, 0b10001]),
    ('X', [0b10001, 0b10001, 0b01010, 0b00100, 0b01010, 0b10001, 0b10001]),
    ('Y', [0b10001, 0b10001, 0b01010, 0b00100, 0b00100, 0b00100, 0b00100]),
    ('Z', [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b11111]),
    (' ', [0; 7]),
    ('.', [0, 0, 0, 0, 0, 0b01100, 0b01100]),
    (',', [0, 0, 0, 0, 0b01100, 0b00100, 0b01000]),
    ('-', [0, 0, 0, 0b11111, 0, 0, 0]),
    ('_', [0, 0, 0, 0, 0, 0, 0b11111]),
    (':', [0, 0b01100, 0b01100, 0, 0b01100, 0b01100, 0]),
    ('/', [0b00001, 0b00010, 0b00010, 0b00100, 0b01000, 0b01000, 0b10000]),
    ('?', [0b01110, 0b10001, 0b00001, 0b00110, 0b00100, 0, 0b00100]),
];

/// Writes text from (x, y), its top left corner, as far as the picture goes. Letters that the font lacks are written as `?`.
pub(super) fn write(picture: &mut RgbImage, text: &str, x: u32, y: u32, ink: Rgb<u8>) {
    for (letter, left) in text.chars().zip((x..).step_by(ADVANCE as usize)) {
        if left + 5 * DOT > picture.width() {
            return;
        }
        for (row, dots) in (0..).zip(glyph(letter)) {
            for column in (0..5).filter(|column| dots & (0b10000 >> column) != 0) {
                dot(picture, left + column * DOT, y + row * DOT, ink);
            }
        }
    }
}

fn glyph(letter: char) -> [u8; 7] {
    let upper = letter.to_ascii_uppercase();
    let known = |wanted: char| GLYPHS.iter().find(|(letter, _)| *letter == wanted).map(|(_, dots)| *dots);
    known(upper).or_else(|| known('?')).unwrap_or_default()
}

fn dot(picture: &mut RgbImage, x: u32, y: u32, ink: Rgb<u8>) {
    for row in y..(y + DOT).min(picture.height()) {
        for column in x..(x + DOT).min(picture.width()) {
            picture.put_pixel(column, row, ink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_has_dots_of_its_own() {
        for (at, (letter, dots)) in GLYPHS.iter().enumerate() {
            assert!(dots.iter().all(|row| *row < 32), "{letter}");
            assert!(GLYPHS[at + 1..].iter().all(|(_, other)| other != dots), "{letter}");
        }
        assert_eq!(glyph('a'), glyph('A'));
        assert_eq!(glyph('é'), glyph('?'));
    }

    #[test]
    fn text_ends_where_the_picture_does() {
        let mut picture = RgbImage::from_pixel(ADVANCE + 3, HEIGHT, Rgb([255; 3]));
        write(&mut picture, "II", 0, 0, Rgb([0; 3]));
        let dark = |from: u32, to: u32| (from..to).any(|x| (0..HEIGHT).any(|y| picture.get_pixel(x, y).0 == [0; 3]));
        assert!(dark(0, ADVANCE) && !dark(ADVANCE, ADVANCE + 3));
    }
}
