//! Image, compose file and Kubernetes manifests.

use trailkeep_server::document;

use super::*;

/// The last stage of the Dockerfile: instructions and what stands behind them.
fn stages() -> Vec<Vec<(String, String)>> {
    let text = read("Dockerfile").replace("\\\n", " ");
    let mut stages: Vec<Vec<(String, String)>> = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (instruction, rest) = line.split_once(' ').unwrap();
        if instruction == "FROM" {
            stages.push(Vec::new());
        }
        let stage = stages.last_mut().unwrap();
        stage.push((instruction.to_owned(), rest.trim().to_owned()));
    }
    stages
}

fn instruction<'a>(stage: &'a [(String, String)], name: &str) -> &'a str {
    let found = stage.iter().find(|(instruction, _)| instruction == name);
    &found.unwrap_or_else(|| panic!("no {name}")).1
}

/// `NAME=value` pairs of an ENV instruction.
fn variables(stage: &[(String, String)]) -> Vec<(String, String)> {
    let pairs = instruction(stage, "ENV").split_whitespace();
    let pairs = pairs.filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn value_of(pairs: &[(String, String)], name: &str) -> String {
    let found = pairs.iter().find(|(known, _)| known == name);
    found
        .unwrap_or_else(|| panic!("{name} is not set"))
        .1
        .clone()
}

fn port_of(listen: &str) -> u64 {
    listen.rsplit(':').next().unwrap().parse().unwrap()
}

#[test]
fn the_image_is_small_and_runs_as_nobody() {
    let stages = stages();
    let [build, image] = &stages[..] else {
        panic!("{stages:?}");
    };
    let minimum = env!("CARGO_PKG_RUST_VERSION");
    assert!(instruction(build, "FROM").starts_with(&format!("rust:{minimum}-slim")));
    assert!(instruction(build, "RUN").contains("--locked"));
    assert!(instruction(image, "FROM").contains("distroless"));
    let user: Vec<u32> = instruction(image, "USER")
        .split(':')
        .map(|id| id.parse().unwrap())
        .collect();
    assert!(user.iter().all(|id| *id > 0), "{user:?}");
    // The programs go where the entry point is.
    let copied = instruction(image, "COPY");
    let folder = copied.rsplit(' ').next().unwrap();
    let entry: Vec<String> = serde_json::from_str(instruction(image, "ENTRYPOINT")).unwrap();
    assert_eq!(entry, [PROGRAM]);
    assert!(PROGRAM.starts_with(folder));
    let arguments: Vec<String> = serde_json::from_str(instruction(image, "CMD")).unwrap();
    assert_taken(&arguments);
    let variables = variables(image);
    for (name, _) in &variables {
        assert_known_variable(&arguments[0], name);
    }
    let volume = instruction(image, "VOLUME");
    assert!(value_of(&variables, "TRAILKEEP_DIR").starts_with(volume));
    let port = port_of(&value_of(&variables, "TRAILKEEP_LISTEN"));
    assert_eq!(instruction(image, "EXPOSE"), port.to_string());
}

/// What the build reads is in its context, and what it need not read is not.
#[test]
fn the_build_gets_what_it_needs() {
    let root = crate::support::root();
    let text = std::fs::read_to_string(root.join(".dockerignore")).unwrap();
    let let_in: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    assert!(text.lines().any(|line| line == "*"));
    for name in ["Cargo.toml", "Cargo.lock", "src", "benches"] {
        assert!(let_in.contains(&name), "{name}");
    }
    for name in &let_in {
        assert!(root.join(name).exists(), "{name}");
    }
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                // An example in the documentation is no part of the build.
                let is_code = |line: &&str| !line.trim_start().starts_with("//");
                let code: String = code.split_inclusive('\n').filter(is_code).collect();
                for macro_name in ["include_str!(", "include_bytes!("] {
                    for rest in code.split(macro_name).skip(1) {
                        let Some(named) = rest
                            .split('"')
                            .nth(1)
                            .filter(|_| rest.trim_start().starts_with('"'))
                        else {
                            continue;
                        };
                        let target = path.parent().unwrap().join(named).canonicalize().unwrap();
                        let target = target
                            .strip_prefix(root.canonicalize().unwrap())
                            .unwrap()
                            .to_owned();
                        let is_in = let_in.iter().any(|place| target.starts_with(place));
                        assert!(is_in, "{} includes {}", path.display(), target.display());
                    }
                }
            }
        }
    }
}

#[test]
fn the_compose_file_fits_the_image() {
    let compose = &yaml("compose.yaml")[0];
    let services = compose["services"].as_object().unwrap();
    assert!(services.contains_key("trailkeep") && services.contains_key("backup"));
    for (name, service) in services {
        let command = texts(&service["command"]);
        assert_taken(&command);
        let environment = service["environment"].as_object().unwrap();
        for variable in environment.keys() {
            assert_known_variable(&command[0], variable);
        }
        let mounts = texts(&service["volumes"]);
        let mounts: Vec<(&str, &str)> = mounts
            .iter()
            .filter_map(|mount| mount.split_once(':'))
            .collect();
        for (volume, _) in &mounts {
            assert!(
                compose["volumes"]
                    .as_object()
                    .unwrap()
                    .contains_key(*volume),
                "{volume}"
            );
        }
        let is_mounted = |path: &str| mounts.iter().any(|(_, place)| path.starts_with(place));
        assert!(
            is_mounted(environment["TRAILKEEP_DIR"].as_str().unwrap()),
            "{name}"
        );
        if let Some(out) = command.iter().position(|word| word == "--out") {
            assert!(is_mounted(&command[out + 1]), "{name}");
        }
        let secrets = texts(&service["secrets"]);
        let key = environment["TRAILKEEP_ROOT_KEY_FILE"].as_str().unwrap();
        assert_eq!(key, format!("/run/secrets/{}", secrets[0]));
        assert!(compose["secrets"][&secrets[0]]["file"].is_string());
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(texts(&service["cap_drop"]), ["ALL"]);
        // A core would hold keys.
        assert_eq!(service["ulimits"]["core"], 0, "{name}");
        let user = service["user"].as_str().unwrap();
        assert!(
            user.split(':').all(|id| id.parse::<u32>().unwrap() > 0),
            "{user}"
        );
    }
    let server = &services["trailkeep"];
    // The server writes the backup that the other service asks for, so it sees the same places.
    let mounts = texts(&server["volumes"]);
    for mount in texts(&services["backup"]["volumes"]) {
        assert!(mounts.contains(&mount), "{mount}");
    }
    let listen = server["environment"]["TRAILKEEP_LISTEN"].as_str().unwrap();
    let published = texts(&server["ports"]);
    assert_eq!(
        published[0].rsplit(':').next().unwrap(),
        port_of(listen).to_string()
    );
    let test = texts(&server["healthcheck"]["test"]);
    assert_eq!(test[..2], ["CMD".to_owned(), PROGRAM.to_owned()]);
    assert_taken(&test[2..]);
    let build = path(".").join(server["build"]["context"].as_str().unwrap());
    assert!(
        build
            .join(server["build"]["dockerfile"].as_str().unwrap())
            .exists()
    );
}

fn manifests() -> Vec<Value> {
    [
        yaml("kubernetes/trailkeep.yaml"),
        yaml("kubernetes/init.yaml"),
    ]
    .concat()
}

fn of_kind<'a>(manifests: &'a [Value], kind: &str) -> &'a Value {
    let found = manifests.iter().find(|manifest| manifest["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}"))
}

#[test]
fn the_manifests_have_their_form() {
    for manifest in manifests() {
        let kind = manifest["kind"].as_str().unwrap();
        let version = match kind {
            "PersistentVolumeClaim" | "Service" => "v1",
            "StatefulSet" => "apps/v1",
            "Job" => "batch/v1",
            "NetworkPolicy" => "networking.k8s.io/v1",
            other => panic!("{other}"),
        };
        assert_eq!(manifest["apiVersion"], version, "{kind}");
        assert!(
            manifest["metadata"]["name"]
                .as_str()
                .unwrap()
                .starts_with("trailkeep")
        );
        assert!(manifest["spec"].is_object(), "{kind}");
    }
}

#[test]
fn pods_run_as_nobody_with_what_they_need() {
    let all = manifests();
    let claim = of_kind(&all, "PersistentVolumeClaim")["metadata"]["name"].clone();
    for kind in ["StatefulSet", "Job"] {
        let pod = &of_kind(&all, kind)["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{kind}");
        for id in ["runAsUser", "runAsGroup", "fsGroup"] {
            assert!(
                pod["securityContext"][id].as_u64().unwrap() > 0,
                "{kind}: {id}"
            );
        }
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"],
            "RuntimeDefault"
        );
        assert_eq!(pod["automountServiceAccountToken"], false, "{kind}");
        let container = &pod["containers"][0];
        let context = &container["securityContext"];
        assert_eq!(context["readOnlyRootFilesystem"], true, "{kind}");
        assert_eq!(context["allowPrivilegeEscalation"], false, "{kind}");
        assert_eq!(texts(&context["capabilities"]["drop"]), ["ALL"]);
        let arguments = texts(&container["args"]);
        assert_taken(&arguments);
        let variables = container["env"].as_array().unwrap();
        for variable in variables {
            assert_known_variable(&arguments[0], variable["name"].as_str().unwrap());
        }
        let of = |name: &str| {
            variables
                .iter()
                .find(|variable| variable["name"] == name)
                .unwrap()
        };
        assert_eq!(
            of("TRAILKEEP_ROOT_KEY")["valueFrom"]["secretKeyRef"]["name"],
            "trailkeep-root-key"
        );
        // The data directory is on the claim.
        let mount = &container["volumeMounts"][0];
        let directory = of("TRAILKEEP_DIR")["value"].as_str().unwrap();
        assert!(
            directory.starts_with(mount["mountPath"].as_str().unwrap()),
            "{kind}"
        );
        let volumes = pod["volumes"].as_array().unwrap();
        let volume = volumes
            .iter()
            .find(|volume| volume["name"] == mount["name"])
            .unwrap();
        assert_eq!(
            volume["persistentVolumeClaim"]["claimName"], claim,
            "{kind}"
        );
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(container["image"], format!("trailkeep:{version}"), "{kind}");
    }
}

#[test]
fn the_server_is_one_and_is_asked_where_it_answers() {
    let all = manifests();
    let set = &of_kind(&all, "StatefulSet")["spec"];
    assert_eq!(set["replicas"], 1);
    let labels = &set["template"]["metadata"]["labels"];
    assert_eq!(&set["selector"]["matchLabels"], labels);
    let service = &of_kind(&all, "Service")["spec"];
    assert_eq!(&service["selector"], labels);
    assert_eq!(
        set["serviceName"],
        of_kind(&all, "Service")["metadata"]["name"]
    );
    // The job that makes the directory is no server.
    let job = &of_kind(&all, "Job")["spec"]["template"]["metadata"]["labels"];
    assert_ne!(job, labels);
    let container = &set["template"]["spec"]["containers"][0];
    let port = &container["ports"][0];
    let variables = container["env"].as_array().unwrap();
    let listen = variables
        .iter()
        .find(|variable| variable["name"] == "TRAILKEEP_LISTEN")
        .unwrap();
    assert_eq!(
        port["containerPort"],
        port_of(listen["value"].as_str().unwrap())
    );
    assert_eq!(service["ports"][0]["targetPort"], port["name"]);
    let allowed = &of_kind(&all, "NetworkPolicy")["spec"]["ingress"][0]["ports"][0]["port"];
    assert_eq!(allowed, &port["containerPort"]);
    let routes = document()["paths"].as_object().unwrap();
    for (probe, route) in [
        ("startupProbe", "/healthz"),
        ("livenessProbe", "/healthz"),
        ("readinessProbe", "/readyz"),
    ] {
        let asked = &container[probe]["httpGet"];
        assert_eq!(asked["path"], route, "{probe}");
        assert_eq!(asked["port"], port["name"], "{probe}");
        assert!(
            routes.contains_key(route),
            "{probe}: there is no route {route}"
        );
        let needs_no_token = routes[route]["get"]["x-trailkeep-right"].is_null();
        assert!(needs_no_token, "{probe}");
    }
}
