//! Clones without any manager of hooks: plain hook files of every kind.

use crate::bench::{Bench, Tree, assert_same};

#[test]
fn a_plain_clone_is_gated_and_set_free_again_to_the_byte() {
    for bench in Bench::all() {
        let before = bench.tree();
        let data = bench.install();
        assert_eq!(data["manner"], if bench.has_config_hooks { "config" } else { "files" });
        assert_eq!((&data["protected"][0], &data["fetches"]), (&"refs/heads/main".into(), &"origin".into()));
        bench.assert_gated();
        bench.work();

        let installed = bench.tree();
        assert_eq!(bench.install()["changes"], serde_json::json!([]));
        assert_same(&installed, &bench.tree());

        assert!(!bench.uninstall()["changes"].as_array().unwrap().is_empty());
        assert_same(&before, &bench.tree());
        bench.assert_free();
        assert_eq!(bench.uninstall()["changes"], serde_json::json!([]));
        assert_same(&before, &bench.tree());
    }
}
