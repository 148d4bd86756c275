//! The checkpoints that fuzzing begins with are of the versions that this program reads: others would end at the first
//! check, and nothing behind it would be tried.

use std::path::Path;

use impasto::{paint, train};

#[test]
fn the_checkpoints_that_fuzzing_begins_with_are_read_to_their_end() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    for name in ["adam", "lbfgs"] {
        paint::probe(&seeds.join(format!("checkpoint_paint/{name}.safetensors"))).unwrap();
    }
    train::probe(&seeds.join("checkpoint_train/version-3.safetensors"), 3).unwrap();
    let older = train::probe(&seeds.join("checkpoint_train/version-2.safetensors"), 3).unwrap_err();
    assert!(older.to_string().contains("use the impasto that did"), "{older}");
}
