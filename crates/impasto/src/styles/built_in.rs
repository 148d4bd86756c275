//! The networks inside the program.

use std::sync::OnceLock;

use impasto_nn::style_model::StyleModel;

/// The network of any style that comes with the program, with all styles of the gallery.
static FILE: &[u8] = include_bytes!("../../styles/any.safetensors");

/// What error messages call it.
pub(super) const FILE_NAME: &str = "the built-in styles";

/// A network that was trained on a few styles of the gallery alone, and paints these better.
static FEW_FILE: &[u8] = include_bytes!("../../styles/styles.safetensors");

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
pub(super) fn few() -> &'static StyleModel {
    static MODEL: OnceLock<StyleModel> = OnceLock::new();
    MODEL.get_or_init(|| {
        StyleModel::from_bytes(FILE_NAME, FEW_FILE).expect("the built-in styles are whole: a test reads them")
    })
}

/// The number of a style in a network.
pub(super) fn number(model: &StyleModel, name: &str) -> Option<usize> {
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
