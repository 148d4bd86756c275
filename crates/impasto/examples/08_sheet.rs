//! Every photograph in every style, on one sheet: paintings above, photographs on the left.
//!
//! ```text
//! cargo run --release -p impasto --example 08_sheet -- docs/pictures/sheet.jpg 256 \
//!     crates/impasto/photographs/*.jpg -s great-wave starry-night the-kiss my-painting.jpg
//! ```

use std::error::Error;
use std::path::Path;

use impasto::styles::Blend;
use impasto::{Picture, StylizeSettings, Stylizer};

/// White between the pictures, in pixels.
const GAP: usize = 6;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let usage = "give the sheet, the side of a cell in pixels, photographs, `-s`, and styles";
    let (files, styles) = args.split_at(args.iter().position(|arg| arg == "-s").ok_or(usage)?);
    let [sheet, side, photos @ ..] = files else { return Err(usage.into()) };
    let (side, styles) = (side.parse()?, &styles[1..]);
    if photos.is_empty() || styles.is_empty() {
        return Err(usage.into());
    }
    let photos = photos.iter().map(|photo| square(&Picture::read(Path::new(photo))?, side));
    let photos = photos.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let mut columns = vec![
        std::iter::once(Picture::from_planar(side, side, vec![255.0; 3 * side * side]))
            .chain(photos.iter().cloned())
            .collect(),
    ];
    for style in styles {
        let blend = Blend::find(&[style.parse()?])?;
        let stylizer = Stylizer::new(&blend, &StylizeSettings::default())?;
        let mut column = vec![square(&painting(style, &blend)?, side)?];
        for photo in &photos {
            column.push(stylizer.stylize(photo.clone())?.picture);
        }
        columns.push(column);
    }
    on_white(&columns, side).write(Path::new(sheet), None)?;
    Ok(())
}

/// The painting of a style: the picture itself, or the small one on the style's card.
fn painting(style: &str, blend: &Blend) -> Result<Picture, Box<dyn Error>> {
    if Path::new(style).is_file() {
        return Ok(Picture::read(Path::new(style))?);
    }
    let used = blend.shares.iter().position(|share| *share > 0.0).ok_or("a style has no weight")?;
    let thumbnail = blend.model.card.styles[used].thumbnail.as_deref().ok_or("a style has no painting on its card")?;
    Ok(Picture::from_file_bytes(thumbnail, Path::new(style))?)
}

/// The square in the middle of a picture, at this size.
fn square(picture: &Picture, side: usize) -> Result<Picture, Box<dyn Error>> {
    let (height, width) = (picture.height(), picture.width());
    let shorter = height.min(width);
    let (top, left) = ((height - shorter) / 2, (width - shorter) / 2);
    let rows = (0..3 * shorter).map(|row| (row / shorter) * height + top + row % shorter);
    let data = rows.flat_map(|row| picture.data()[row * width + left..][..shorter].iter().copied()).collect();
    Ok(Picture::from_planar(shorter, shorter, data).resized(side, side))
}

/// Columns of squares side by side.
fn on_white(columns: &[Vec<Picture>], side: usize) -> Picture {
    let step = side + GAP;
    let (height, width) = (columns[0].len() * step + GAP, columns.len() * step + GAP);
    let mut data = vec![255.0; 3 * height * width];
    for (i, column) in columns.iter().enumerate() {
        for (j, picture) in column.iter().enumerate() {
            for (line, values) in picture.data().chunks_exact(side).enumerate() {
                let row = (line / side) * height + GAP + j * step + line % side;
                data[row * width + GAP + i * step..][..side].copy_from_slice(values);
            }
        }
    }
    Picture::from_planar(height, width, data)
}
