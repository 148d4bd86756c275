//! Styles by name: those inside the program, and those of model files.
//!
//! A style is asked for as `NAME`, one of those inside the program or one that the user keeps; as `MODEL`, a file that holds a single style; or as
//! `MODEL#NAME`, one style of a file that holds several; as `PICTURE`, any picture; or as `MODEL#PICTURE`, a picture as a
//! model of any style sees it (`any`, the one inside the program, or a file). Behind each may stand `:WEIGHT`.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

use serde::{Serialize, Serializer};

use crate::models::{self, BUILT_IN_ANY};
use crate::picture::looks_like_a_picture;
use crate::settings::{Device, SettingsError, StyleFile, nearest};
use crate::style_pictures::{self, StyleReader};

pub use crate::kept_styles::{AddStyle, FOLDER_VARIABLE, KeptStyle, KeptStyleError, StyleFolder};
pub use crate::style_pictures::StylePictureError;
pub use impasto_nn::kernels::StyleNetShape;
pub use impasto_nn::style_model::{ModelCard, StyleCard, StyleDtype, StyleModel, StyleModelError};

/// The network of any style that comes with the program, with all styles of the gallery.
static FILE: &[u8] = include_bytes!("../styles/any.safetensors");

/// What error messages call it.
const FILE_NAME: &str = "the built-in styles";

/// A network that was trained on a few styles of the gallery alone, and paints these better.
static FEW_FILE: &[u8] = include_bytes!("../styles/styles.safetensors");

/// Why there is no style to paint in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StylesError {
    /// None was asked for.
    #[error("no style is named: give one, such as {}", listed(&names()))]
    Nothing,
    /// Neither a built-in style, nor one that is kept, nor a file.
    #[error("there is no style `{name}`{}: built in are {}; a picture or a model file is named by its path",
        suggestion(.nearest), listed(&names()))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The style that is most like it.
        nearest: Option<String>,
    },
    /// The file has other styles.
    #[error("`{}` has no style `{name}`{}: it has {}", model.display(), suggestion(.nearest), listed(known))]
    NotInModel {
        /// The file.
        model: PathBuf,
        /// What was asked for.
        name: String,
        /// The style of the file that is most like it.
        nearest: Option<String>,
        /// All styles of the file.
        known: Vec<String>,
    },
    /// The file has several styles, and none of them was named.
    #[error("`{0}` holds several styles: name one of them, such as `{0}#{first}` (it has {known})",
        model.display(), first = known[0], known = listed(known))]
    Several {
        /// The file.
        model: PathBuf,
        /// All styles of the file.
        known: Vec<String>,
    },
    /// Two styles that do not share a network.
    #[error(
        "`{one}` and `{other}` are styles of different networks: only styles of one network can be blended without masks"
    )]
    Different {
        /// The first.
        one: String,
        /// One that differs from it.
        other: String,
    },
    /// All weights are 0.
    #[error("no style to paint in: give at least one of them a weight above 0")]
    NoWeight,
    /// The file is not one of ours.
    #[error(transparent)]
    Model(#[from] StyleModelError),
    /// A picture is asked for as a style of a network that has its own styles only.
    #[error("`{}` cannot take the picture `{}` as a style: give a model of any style, as `MODEL#PICTURE`", model.display(), picture.display())]
    NoPredictor {
        /// The file of the network.
        model: PathBuf,
        /// The picture.
        picture: PathBuf,
    },
    /// The picture is no style.
    #[error(transparent)]
    Picture(#[from] StylePictureError),
    /// A style that is kept cannot be read.
    #[error(transparent)]
    Kept(#[from] KeptStyleError),
}

impl StylesError {
    /// No style of this name is built in, kept or a file.
    fn unknown(name: &str) -> Self {
        let kept = StyleFolder::of_user().map(|folder| folder.names()).unwrap_or_default();
        let known = names().into_iter().chain(kept.iter().map(String::as_str));
        Self::Unknown { name: name.into(), nearest: nearest(name, known) }
    }
}

fn listed(names: &[impl AsRef<str>]) -> String {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

/// The network that comes with the program with the styles of the gallery, without its predictor; expanded when it is first
/// asked for.
pub fn built_in() -> &'static StyleModel {
    static MODEL: OnceLock<StyleModel> = OnceLock::new();
    MODEL.get_or_init(|| {
        StyleModel::from_bytes_without_predictor(FILE_NAME, FILE)
            .expect("the built-in styles are whole: a test reads them")
    })
}

/// The same network with the predictor, which takes any picture as a style; expanded when it is first asked for.
pub fn any() -> &'static StyleModel {
    static MODEL: OnceLock<StyleModel> = OnceLock::new();
    MODEL.get_or_init(|| {
        StyleModel::from_bytes(FILE_NAME, FILE).expect("the built-in styles are whole: a test reads them")
    })
}

/// The network that was trained longest on a few styles of the gallery, which are painted in it unless they are blended with
/// others; expanded when it is first asked for.
fn few() -> &'static StyleModel {
    static MODEL: OnceLock<StyleModel> = OnceLock::new();
    MODEL.get_or_init(|| {
        StyleModel::from_bytes(FILE_NAME, FEW_FILE).expect("the built-in styles are whole: a test reads them")
    })
}

/// The number of a style in a network.
fn number(model: &StyleModel, name: &str) -> Option<usize> {
    model.card.styles.iter().position(|style| style.name == name)
}

/// The network that paints a built-in style best.
pub(crate) fn best_for(name: &str) -> Option<&'static StyleModel> {
    [few(), built_in()].into_iter().find(|model| number(model, name).is_some())
}

/// Bytes of a network inside the program.
pub(crate) fn size_inside(model: &StyleModel) -> u64 {
    (if model.card == few().card { FEW_FILE } else { FILE }).len() as u64
}

/// The names of the built-in styles, in the order of the network's.
pub fn names() -> Vec<&'static str> {
    built_in().card.styles.iter().map(|style| style.name.as_str()).collect()
}

/// The number of the built-in style of this name.
pub fn find(name: &str) -> Option<usize> {
    number(built_in(), name)
}

/// A style as it is asked for, and its share of a blend. In text: `NAME`, `MODEL` or `MODEL#NAME`, and `:WEIGHT` behind
/// it unless that is 1.
#[derive(Clone, Debug, PartialEq)]
pub struct StyleChoice {
    /// `NAME`, `MODEL` or `MODEL#NAME`.
    pub style: String,
    /// Its share before the shares are made to sum to 1; 0 or above.
    pub weight: f64,
}

impl StyleChoice {
    /// A style alone.
    pub fn new(style: impl Into<String>) -> Self {
        Self { style: style.into(), weight: 1.0 }
    }

    /// The same with a model file named without its folder.
    #[must_use]
    pub fn with_file_name(&self) -> Self {
        let style = Path::new(&self.style).file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { style, weight: self.weight }
    }
}

impl fmt::Display for StyleChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.style, self.weight)
    }
}

impl FromStr for StyleChoice {
    type Err = SettingsError;

    /// What stands behind the last colon is the weight if it is a number, as in [`StyleFile`].
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let StyleFile { path, weight } = text.parse()?;
        Ok(Self { style: path.to_string_lossy().into_owned(), weight })
    }
}

impl Serialize for StyleChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Styles of one network, each with its share.
#[derive(Clone, Debug)]
pub struct Blend {
    /// The network.
    pub model: Cow<'static, StyleModel>,
    /// The share of each of its styles; they sum to 1.
    pub shares: Vec<f32>,
}

impl Blend {
    /// One style of a network alone.
    ///
    /// # Panics
    /// If the network does not have this many.
    pub fn of(model: Cow<'static, StyleModel>, style: usize) -> Self {
        let mut shares = vec![0.0; model.shape.styles];
        shares[style] = 1.0;
        Self { model, shares }
    }

    /// The styles that are asked for, blended by their weights. The same style twice counts as one.
    ///
    /// # Errors
    /// If a style is not to be found, they are not of one network, or all weigh nothing.
    pub fn find(choices: &[StyleChoice]) -> Result<Self, StylesError> {
        Self::find_on(choices, Device::Auto, None)
    }

    /// The same, where pictures are measured on a device with this many threads.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn find_on(choices: &[StyleChoice], device: Device, threads: Option<usize>) -> Result<Self, StylesError> {
        let first = choices.first().ok_or(StylesError::Nothing)?;
        let homes = choices.iter().map(|choice| Home::of(&choice.style)).collect::<Result<Vec<_>, _>>()?;
        if let Some((_, other)) = homes.iter().zip(choices).skip(1).find(|(home, _)| !homes[0].is_network_of(home)) {
            return Err(StylesError::Different { one: first.style.clone(), other: other.style.clone() });
        }
        let total: f64 = choices.iter().map(|choice| choice.weight).sum();
        if !(total.is_finite() && total > 0.0) {
            return Err(StylesError::NoWeight);
        }
        let (model, numbers) = numbered(&homes.iter().collect::<Vec<_>>(), device, threads)?;
        let mut weights = vec![0.0; model.shape.styles];
        for (number, choice) in numbers.into_iter().zip(choices) {
            weights[number] += choice.weight;
        }
        Ok(Self { model, shares: weights.into_iter().map(|weight| (weight / total) as f32).collect() })
    }

    /// Each of the styles that are asked for alone, whatever its weight; they may be of several networks.
    ///
    /// # Errors
    /// If a style is not to be found.
    pub fn find_each(
        choices: &[StyleChoice],
        device: Device,
        threads: Option<usize>,
    ) -> Result<Vec<Self>, StylesError> {
        let homes = choices.iter().map(|choice| Home::of(&choice.style)).collect::<Result<Vec<_>, _>>()?;
        let mut found: Vec<Option<Self>> = vec![None; homes.len()];
        while let Some(first) = found.iter().position(Option::is_none) {
            // Beside pictures a built-in style would not be in the network that paints it best.
            let is_like = |other: &Home| homes[first].is_predicted() == other.is_predicted();
            let is_same = |other: &usize| {
                found[*other].is_none() && homes[first].is_network_of(&homes[*other]) && is_like(&homes[*other])
            };
            let same: Vec<usize> = (first..homes.len()).filter(|other| *other == first || is_same(other)).collect();
            let of_network: Vec<&Home> = same.iter().map(|place| &homes[*place]).collect();
            let (model, numbers) = numbered(&of_network, device, threads)?;
            for (place, number) in same.into_iter().zip(numbers) {
                found[place] = Some(Self::of(model.clone(), number));
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// The styles by name, joined by hyphens, fit to be part of a file's name.
    pub fn label(&self) -> String {
        let used = self.model.card.styles.iter().zip(&self.shares).filter(|(_, share)| **share > 0.0);
        let name: String = used.map(|(style, _)| style.name.as_str()).collect::<Vec<_>>().join("-");
        let fit = |c: char| if c.is_control() || "/\\:*?\"<>|".contains(c) { '_' } else { c };
        name.chars().map(fit).collect()
    }
}

/// The network of the first style, and inside the program, the one that paints all of them best.
fn network_of(homes: &[&Home]) -> Result<Cow<'static, StyleModel>, StylesError> {
    let are_among = |model: &StyleModel| {
        let is = |home: &&Home| matches!(home, Home::BuiltIn { name } if number(model, name).is_some());
        homes.iter().all(is)
    };
    Ok(match homes[0].file() {
        Some(path) => Cow::Owned(StyleModel::load(path)?),
        None if homes.iter().any(Home::is_predicted) => Cow::Borrowed(any()),
        None if are_among(few()) => Cow::Borrowed(few()),
        None => Cow::Borrowed(built_in()),
    })
}

/// The network of these styles, and the number that each has in it. Pictures have one once they are measured.
fn numbered(
    homes: &[&Home],
    device: Device,
    threads: Option<usize>,
) -> Result<(Cow<'static, StyleModel>, Vec<usize>), StylesError> {
    let model = network_of(homes)?;
    if homes.iter().any(|home| home.is_predicted()) {
        let styles = with_pictures(&model, homes, device, threads)?;
        return Ok((Cow::Owned(model.with_styles(styles)), (0..homes.len()).collect()));
    }
    let numbers = homes.iter().map(|home| home.style(&model)).collect::<Result<_, _>>()?;
    Ok((model, numbers))
}

/// The styles of a network that are asked for, each with its scales and shifts, pictures among them.
fn with_pictures(
    model: &StyleModel,
    homes: &[&Home],
    device: Device,
    threads: Option<usize>,
) -> Result<Vec<(StyleCard, Vec<f32>)>, StylesError> {
    let mut reader = None;
    let mut styles = Vec::new();
    for home in homes {
        if let (Home::Kept(kept), Some(predictor)) = (home, &model.predictor) {
            styles.push((kept.card.clone(), predictor.predict(&kept.statistics)));
            continue;
        }
        let Home::Picture { picture: path, .. } = home else {
            let style = home.style(model)?;
            styles.push((model.card.styles[style].clone(), model.shape.normalisation_of(style, &model.parameters)));
            continue;
        };
        let Some(predictor) = &model.predictor else {
            let model = home.file().unwrap_or(Path::new(FILE_NAME)).to_owned();
            return Err(StylesError::NoPredictor { model, picture: path.clone() });
        };
        let picture = style_pictures::read(path).map_err(StylePictureError::Read)?;
        let reader = match &mut reader {
            Some(reader) => reader,
            none => none.insert(StyleReader::new(model, device, threads)?),
        };
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        styles.push(reader.style(predictor, name, &picture));
    }
    Ok(styles)
}

/// Where a style that is asked for lives.
enum Home {
    BuiltIn {
        name: String,
    },
    File {
        path: PathBuf,
        style: Option<String>,
    },
    /// A picture that is kept as a style, for the model of any style inside the program.
    Kept(Box<KeptStyle>),
    /// A picture, for a model of any style: a file, or the one inside the program.
    Picture {
        model: Option<PathBuf>,
        picture: PathBuf,
    },
}

impl Home {
    /// Built-in names come first, then those of kept styles; a file of such a name is `./NAME`.
    fn of(text: &str) -> Result<Self, StylesError> {
        if find(text).is_some() {
            return Ok(Self::BuiltIn { name: text.into() });
        }
        if let Some(folder) = StyleFolder::of_user().ok().filter(|folder| folder.has(text)) {
            return Ok(Self::Kept(Box::new(folder.get(text)?)));
        }
        let (file, style) = match text.rsplit_once('#') {
            Some((file, style)) if !Path::new(text).exists() => (file, Some(style.to_owned())),
            _ => (text, None),
        };
        let path = Path::new(file);
        let is_picture = |path: &Path| path.is_file() && looks_like_a_picture(path);
        match &style {
            None if is_picture(path) => return Ok(Self::Picture { model: None, picture: path.to_owned() }),
            Some(style) if is_picture(Path::new(style)) => {
                let model = (file != BUILT_IN_ANY).then(|| path.to_owned());
                return Ok(Self::Picture { model, picture: style.into() });
            }
            _ => {}
        }
        let is_path = path.exists() || path.components().count() > 1 || path.extension().is_some();
        let path = if is_path { Some(path.to_owned()) } else { models::find(file) };
        path.map(|path| Self::File { path, style }).ok_or_else(|| StylesError::unknown(text))
    }

    /// The file of the network; nothing for those inside the program.
    fn file(&self) -> Option<&Path> {
        match self {
            Self::BuiltIn { .. } | Self::Kept(_) => None,
            Self::File { path, .. } => Some(path),
            Self::Picture { model, .. } => model.as_deref(),
        }
    }

    /// Whether its scales and shifts are predicted.
    fn is_predicted(&self) -> bool {
        matches!(self, Self::Picture { .. } | Self::Kept(_))
    }

    fn is_network_of(&self, other: &Self) -> bool {
        match (self.file(), other.file()) {
            (None, None) => true,
            (Some(one), Some(other)) => same_file::is_same_file(one, other).unwrap_or(false),
            _ => false,
        }
    }

    /// The number of the style in its network.
    fn style(&self, model: &StyleModel) -> Result<usize, StylesError> {
        let (path, style) = match self {
            Self::BuiltIn { name } => {
                return number(model, name)
                    .ok_or_else(|| StylesError::Different { one: model.card.name.clone(), other: name.clone() });
            }
            Self::File { path, style } => (path.clone(), style),
            Self::Picture { .. } | Self::Kept(_) => unreachable!("what is predicted has no number in its network"),
        };
        let known: Vec<String> = model.card.styles.iter().map(|style| style.name.clone()).collect();
        match style {
            None if known.len() == 1 => Ok(0),
            None => Err(StylesError::Several { model: path, known }),
            Some(name) => known.iter().position(|known| known == name).ok_or_else(|| {
                let nearest = nearest(name, known.iter().map(String::as_str));
                StylesError::NotInModel { model: path, name: name.clone(), nearest, known: known.clone() }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;

    fn blend(texts: &[&str]) -> Result<Blend, StylesError> {
        Blend::find(&texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn the_built_in_styles_are_whole_and_known_by_name() {
        assert_eq!(names().len(), built_in().shape.styles);
        for (number, name) in names().into_iter().enumerate() {
            assert_eq!(find(name), Some(number));
            let alone = blend(&[name]).unwrap();
            assert_eq!((alone.shares.iter().sum::<f32>(), alone.label().as_str()), (1.0, name));
            let best = if super::number(few(), name).is_some() { few() } else { built_in() };
            assert_eq!(alone.model.card, best.card);
        }
    }

    #[test]
    fn the_built_in_network_takes_any_style() {
        let predictor = any().predictor.as_ref().unwrap();
        assert_eq!(predictor.shape.outputs, any().shape.normalisation_len());
        assert_eq!((&any().parameters, &any().card), (&built_in().parameters, &built_in().card));
        assert_eq!(built_in().predictor, None);
    }

    #[test]
    fn every_built_in_style_says_what_it_was_learned_from() {
        assert!(names().len() >= 24);
        for style in &built_in().card.styles {
            let title = style.title.as_deref().unwrap_or_default();
            assert!(title.split(", ").count() >= 3, "painter, painting and year of `{}`: {title}", style.name);
            assert!(
                style.thumbnail.as_ref().is_some_and(|thumbnail| Picture::from_file_bytes(
                    thumbnail,
                    Path::new("thumbnail")
                )
                .is_ok())
            );
        }
    }

    #[test]
    fn weights_become_shares() {
        let (one, other) = (names()[0], names()[1]);
        let found = blend(&[&format!("{one}:3"), other]).unwrap();
        assert_eq!(found.shares[..2], [0.75, 0.25]);
        assert_eq!(found.shares.iter().sum::<f32>(), 1.0);
        assert_eq!(found.label(), format!("{one}-{other}"));
        assert_eq!(blend(&[one, one]).unwrap().shares[0], 1.0);
        let silent = blend(&[&format!("{one}:0"), other]).unwrap();
        assert_eq!(silent.label(), other);
        assert!(matches!(blend(&[&format!("{one}:0")]), Err(StylesError::NoWeight)));
        assert!(matches!(blend(&[]), Err(StylesError::Nothing)));
    }

    #[test]
    fn a_drive_is_no_weight() {
        let choice = |text: &str| text.parse::<StyleChoice>().unwrap();
        assert_eq!(choice(r"C:\models\a.safetensors"), StyleChoice::new(r"C:\models\a.safetensors"));
        let blended = StyleChoice { style: r"C:\a.safetensors#sea".into(), weight: 0.5 };
        assert_eq!(choice(r"C:\a.safetensors#sea:0.5"), blended);
        assert_eq!(choice(&blended.to_string()), blended);
        for wrong in ["sea:-1", "sea:NaN", "sea:inf"] {
            assert!(wrong.parse::<StyleChoice>().unwrap_err().to_string().contains("the weight of the style `sea`"));
        }
    }

    #[test]
    fn a_name_that_is_none_is_answered_with_the_nearest() {
        let name = names()[0];
        let message = blend(&[&name[1..]]).unwrap_err().to_string();
        assert!(message.contains(&format!("did you mean `{name}`?")), "{message}");
        let message = blend(&["qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"]).unwrap_err().to_string();
        assert!(!message.contains("did you mean") && message.contains(name), "{message}");
    }
}
