//! Styles by name: those inside the program, and those of model files.
//!
//! A style is asked for as `NAME`, one of those inside the program or one that the user keeps; as `MODEL`, a file that holds a
//! single style; as `MODEL#NAME`, one style of a file that holds several; as `PICTURE`, any picture; or as `MODEL#PICTURE`, a
//! picture as a model of any style sees it (`any`, the one inside the program, or a file). Behind each may stand `:WEIGHT`.

mod blend;
mod built_in;
mod choice;
mod error;
mod home;
mod kept;
mod pictures;

pub use blend::Blend;
pub use built_in::{any, built_in, find, names};
pub(crate) use built_in::{best_for, size_inside};
pub use choice::StyleChoice;
pub use error::StylesError;
pub use impasto_nn::kernels::StyleNetShape;
pub use impasto_nn::style_model::{ModelCard, StyleCard, StyleDtype, StyleModel, StyleModelError};
pub use kept::{AddStyle, FOLDER_VARIABLE, KeptStyle, KeptStyleError, StyleFolder};
pub use pictures::StylePictureError;
pub(crate) use pictures::{StyleReader, with_picture};

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::built_in::few;
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
            let best = if built_in::number(few(), name).is_some() { few() } else { built_in() };
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
