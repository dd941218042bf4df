//! The Debian package: both programs, menu entry, icons, and the recipe as a kind of file that opens the program. The
//! same programs give the same bytes.

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use flate2::{Compression, GzBuilder};

use super::Facts;
use crate::shell;

const PACKAGE: &str = "paser-studio";
const PROGRAMS: [&str; 2] = ["paser-studio", "paser"];
const ICONS: [(&str, &str); 5] = [
    ("32x32.png", "32x32"),
    ("128x128.png", "128x128"),
    ("256x256.png", "256x256"),
    ("icon.png", "512x512"),
    ("icon.svg", "scalable"),
];

/// Every file of the package: where it goes, what it holds, its rights.
type Files = BTreeMap<String, (Vec<u8>, u32)>;

/// Debian's name of the machine that this was built for.
fn architecture() -> Result<&'static str> {
    Ok(match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "armhf",
        "riscv64" => "riscv64",
        other => bail!("Debian's name of {other} is not known here"),
    })
}

/// The newest C library that a program asks for, as `2.34`.
fn c_library(program: &[u8]) -> Option<(u32, u32)> {
    const MARK: &[u8] = b"GLIBC_";
    let starts = program.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    starts
        .filter_map(|(at, _)| {
            let rest = &program[at + MARK.len()..];
            let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
            let (major, rest) = std::str::from_utf8(&rest[..end]).ok()?.split_once('.')?;
            let minor = rest.split('.').next()?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        })
        .max()
}

fn menu_entry(facts: &Facts) -> String {
    format!(
        "[Desktop Entry]\nType=Application\nName={}\nComment={}\nExec={PACKAGE} %f\nIcon={PACKAGE}\n\
         Categories=Development;Science;\nMimeType=application/x-paser-recipe;\nTerminal=false\nStartupWMClass={PACKAGE}\n",
        facts.name, facts.short
    )
}

/// A project is known by the recipe in its folder.
const KIND_OF_FILE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <mime-info xmlns=\"http://www.freedesktop.org/standards/shared-mime-info\">\n  \
    <mime-type type=\"application/x-paser-recipe\">\n    <comment>PASER Studio project</comment>\n    \
    <sub-class-of type=\"text/plain\"/>\n    <glob pattern=\"recipe.toml\" weight=\"80\" case-sensitive=\"true\"/>\n  \
    </mime-type>\n</mime-info>\n";

fn files(facts: &Facts, programs: &Path) -> Result<Files> {
    let mut files = Files::new();
    for program in PROGRAMS {
        let path = programs.join(program);
        let bytes = fs_err::read(&path).context("build it first: without --dev this is done by itself")?;
        files.insert(format!("usr/bin/{program}"), (bytes, 0o755));
    }
    let mut add = |place: String, bytes: Vec<u8>| files.insert(place, (bytes, 0o644));
    add(format!("usr/share/applications/{}.desktop", facts.identifier), menu_entry(facts).into_bytes());
    add(format!("usr/share/mime/packages/{PACKAGE}.xml"), KIND_OF_FILE.as_bytes().to_vec());
    for (file, size) in ICONS {
        let ending = file.rsplit('.').next().unwrap_or_default();
        let bytes = fs_err::read(shell::root().join("icons").join(file))?;
        add(format!("usr/share/icons/hicolor/{size}/apps/{PACKAGE}.{ending}"), bytes);
    }
    let mut copyright = format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: {}\nSource: {}\n\n\
         Files: *\nCopyright: The PASER Studio authors\nLicense: {}\n",
        facts.name,
        facts.homepage,
        facts.licence.replace(" OR ", " or ")
    );
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        let text = fs_err::read_to_string(shell::root().join(licence))?;
        // Writing to a string cannot fail.
        let _ = write!(copyright, "\n----- {licence}\n\n{text}");
    }
    add(format!("usr/share/doc/{PACKAGE}/copyright"), copyright.into_bytes());
    Ok(files)
}

fn control(facts: &Facts, files: &Files) -> Result<String> {
    let programs = files.iter().filter(|(place, _)| place.starts_with("usr/bin/")).map(|(_, (bytes, _))| bytes);
    let (major, minor) = programs.filter_map(|bytes| c_library(bytes)).max().context("no C library is asked for")?;
    let mut depends = vec![format!("libc6 (>= {major}.{minor})")];
    depends.extend(facts.depends.iter().cloned());
    let kilobytes: usize = files.values().map(|(bytes, _)| bytes.len().div_ceil(1024)).sum();
    let long: String = facts.long.split('\n').map(|line| format!(" {line}\n")).collect();
    Ok(format!(
        "Package: {PACKAGE}\nVersion: {}\nArchitecture: {}\nMaintainer: {}\nInstalled-Size: {kilobytes}\nDepends: {}\n\
         Section: science\nPriority: optional\nHomepage: {}\nDescription: {}\n{long}",
        facts.version,
        architecture()?,
        facts.maintainer,
        depends.join(", "),
        facts.homepage,
        facts.short
    ))
}

/// A compressed tar with every folder that the files need, dated 1970 or `SOURCE_DATE_EPOCH`.
fn archive(files: &Files) -> Result<Vec<u8>> {
    let date = env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok()).unwrap_or(0_u64);
    let mut tar = tar::Builder::new(GzBuilder::new().mtime(0).write(Vec::new(), Compression::default()));
    let header = |kind, size: usize, mode| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size as u64);
        header.set_mode(mode);
        header.set_mtime(date);
        header.set_uid(0);
        header.set_gid(0);
        header
    };
    let mut folders = std::collections::BTreeSet::new();
    for (place, (bytes, mode)) in files {
        let parents: Vec<&Path> = Path::new(place).ancestors().skip(1).filter(|path| *path != Path::new("")).collect();
        for folder in parents.into_iter().rev() {
            if folders.insert(folder.to_owned()) {
                let name = format!("./{}/", folder.display());
                tar.append_data(&mut header(tar::EntryType::Directory, 0, 0o755), name, std::io::empty())?;
            }
        }
        let mut header = header(tar::EntryType::Regular, bytes.len(), *mode);
        tar.append_data(&mut header, format!("./{place}"), bytes.as_slice())?;
    }
    let mut gzip = tar.into_inner()?;
    gzip.flush()?;
    Ok(gzip.finish()?)
}

/// Writes the package of the programs in `programs` into a folder; its path.
pub fn write(facts: &Facts, programs: &Path, folder: &Path) -> Result<PathBuf> {
    let files = files(facts, programs)?;
    let control = Files::from([("control".to_owned(), (control(facts, &files)?.into_bytes(), 0o644))]);
    fs_err::create_dir_all(folder)?;
    let path = folder.join(format!("{PACKAGE}_{}_{}.deb", facts.version, architecture()?));
    let mut package = ar::Builder::new(fs_err::File::create(&path)?);
    let parts = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", archive(&control)?),
        ("data.tar.gz", archive(&files)?),
    ];
    for (name, bytes) in parts {
        let mut header = ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
        header.set_mode(0o100_644);
        package.append(&header, bytes.as_slice())?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_c_library_counts() {
        let program = b"\0GLIBC_2.2.5\0x\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0";
        assert_eq!(c_library(program), Some((2, 34)));
        assert_eq!(c_library(b"static"), None);
    }

    #[test]
    fn a_package_holds_what_it_says_and_is_the_same_twice() -> Result<()> {
        let place = tempfile::tempdir()?;
        for program in PROGRAMS {
            fs_err::write(place.path().join(program), b"\x7fELF\0GLIBC_2.31\0")?;
        }
        let facts = super::super::facts()?;
        let first = write(&facts, place.path(), &place.path().join("one"))?;
        let bytes = fs_err::read(&first)?;
        assert_eq!(bytes, fs_err::read(write(&facts, place.path(), &place.path().join("two"))?)?);
        let mut package = ar::Archive::new(bytes.as_slice());
        let mut names = Vec::new();
        let mut listed = Vec::new();
        let mut control = String::new();
        while let Some(entry) = package.next_entry() {
            let entry = entry?;
            let name = String::from_utf8_lossy(entry.header().identifier()).into_owned();
            if name.ends_with(".gz") {
                let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(entry));
                for file in tar.entries()? {
                    let mut file = file?;
                    listed.push(file.path()?.display().to_string());
                    if file.path()?.ends_with("control") {
                        std::io::Read::read_to_string(&mut file, &mut control)?;
                    }
                }
            }
            names.push(name);
        }
        assert_eq!(names, ["debian-binary", "control.tar.gz", "data.tar.gz"]);
        for place in [
            "usr/bin/paser-studio",
            "usr/bin/paser",
            "usr/share/applications/org.paser.studio.desktop",
            "usr/share/mime/packages/paser-studio.xml",
            "usr/share/icons/hicolor/scalable/apps/paser-studio.svg",
            "usr/share/doc/paser-studio/copyright",
        ] {
            assert!(listed.iter().any(|listed| listed.trim_start_matches("./") == place), "no {place} in {listed:?}");
        }
        assert!(control.contains("libc6 (>= 2.31), libwebkit2gtk-4.1-0"), "{control}");
        Ok(())
    }
}
