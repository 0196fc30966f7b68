#!/usr/bin/env bash
# What a program pays to build this library: crates, and CPU seconds of a clean build, beside those of ten lines on
# ureq, serde (derive), serde_json and anyhow. Needs Rust and bash 4; works in a temporary folder.
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export CARGO_TARGET_DIR=$scratch/target TIMEFORMAT='%U %S'
# A cache would be measured in place of the compiler, and flags of one's own in place of the usual ones.
unset RUSTFLAGS RUSTC_WRAPPER CARGO_BUILD_RUSTC_WRAPPER CARGO_INCREMENTAL

# A program's own profiles count, so both are built as dependencies are; the lock file gives both the same versions.
cp "$repo/Cargo.lock" .
mkdir -p program/src floor/src
cat > Cargo.toml <<'END'
[workspace]
members = ["program", "floor"]
resolver = "3"
END
cat > program/Cargo.toml <<END
[package]
name = "program"
edition = "2024"
[dependencies]
sf-login = { path = "$repo" }
END
touch program/src/lib.rs
cat > floor/Cargo.toml <<'END'
[package]
name = "floor"
edition = "2024"
[dependencies]
anyhow = "1"
serde = { version = "1", features = ["derive"] }
serde_json = "1"
ureq = "3"
END
cat > floor/src/lib.rs <<'END'
#[derive(serde::Deserialize)]
pub struct Token {
    pub access_token: String,
    pub instance_url: String,
}

pub fn log_in(url: &str, form: &[(&str, &str)]) -> anyhow::Result<Token> {
    let reply = ureq::post(url).send_form(form.iter().copied())?.body_mut().read_to_vec()?;
    Ok(serde_json::from_slice(&reply)?)
}
END
cargo fetch --quiet

# build PACKAGE FLAG...: crates and CPU seconds, of cargo and all that it starts.
build() {
    rm -rf target
    local spent
    { spent=$( { time cargo build -p "$@" 2> log; } 2>&1 ) || { cat log >&2; exit 1; }; }
    awk -v crates="$(grep Compiling log | grep -vc ' program ')" '{ printf "%d %.1f\n", crates, $1 + $2 }' <<<"$spent"
}

printf '%-10s%10s%10s%8s\n' '' library floor ratio
row() { awk -v name="$1" '{ printf "%-10s%10s%10s%8.2f\n", name, $1, $2, $1 / $2 }' <<<"$2 $3"; }
for profile in debug release; do
    flags=(); [ "$profile" = debug ] || flags=(--release)
    read -r floor_crates floor < <(build floor "${flags[@]}")
    read -r our_crates ours < <(build program "${flags[@]}")
    [ "$profile" = release ] || row crates "$our_crates" "$floor_crates"
    row "$profile" "$ours" "$floor"
done
