//! Pages of ours in a real browser, where the machine has one.

use std::process::Command;

use super::succeeded;

/// The browser of this machine; without one it says that a part is skipped.
#[expect(clippy::print_stderr, reason = "says why a part is skipped")]
pub fn browser() -> Option<&'static str> {
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok());
    if found.is_none() {
        eprintln!("skipped: no Chromium");
    }
    found
}

/// Shows a page in a window of a width, and gives the values of JavaScript expressions there.
pub fn measured(browser: &str, page: &str, width: u32, expressions: &[&str]) -> Vec<String> {
    // The page allows no script: the copy that is measured does.
    let script = format!(
        "<script>document.title=[{}].join(' ')</script></body>",
        expressions.join(",")
    );
    let page = page
        .replace("http-equiv=\"Content-Security-Policy\"", "name=\"was\"")
        .replace("</body>", &script);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    std::fs::write(&path, page).unwrap();
    let profile = folder.path().join("profile");
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--window-size={width},900"))
        .arg("--dump-dom")
        .arg(format!("file://{}", path.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&succeeded(&output).stdout).into_owned();
    let title = dom.split("<title>").nth(1).unwrap();
    let title = title.split("</title>").next().unwrap();
    title.split(' ').map(str::to_owned).collect()
}

/// No part of a page reaches beyond its window.
pub fn assert_fits(browser: &str, page: &str, width: u32) {
    let found = measured(
        browser,
        page,
        width,
        &["document.documentElement.scrollWidth", "innerWidth"],
    );
    let (page, window): (u64, u64) = (found[0].parse().unwrap(), found[1].parse().unwrap());
    assert!(
        page <= window,
        "{width}: the page is {page} wide in a window of {window}"
    );
}
