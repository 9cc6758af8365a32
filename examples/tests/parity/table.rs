use std::fs;
use std::path::Path;

/// Each test that the table names is there, by its file and its name.
#[test]
fn every_test_in_the_table_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let table = fs::read_to_string(root.join("MIGRATION.md")).unwrap();
    let mut found = 0;
    for quoted in table.split('`').skip(1).step_by(2) {
        let Some((file, name)) = quoted.split_once(".rs::") else {
            continue;
        };
        let file = root.join(format!("{file}.rs"));
        let source =
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(
            source.contains(&format!("fn {name}(")),
            "there is no {name} in {}",
            file.display()
        );
        found += 1;
    }
    assert!(found > 50, "only {found} tests are named");
}
