package stores

import (
	"archive/zip"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	rootKey    = "root-of-the-store"
	rootSecret = "not-a-secret-of-anybody"
)

// The versions that are measured.
const (
	versitygwVersion = "1.8.0"
	minioVersion     = "v0.0.0-20260212201848-7aac2a2c5b7c"
	seaweedVersion   = "v0.0.0-20261109003541-7506e5f91cd6" // its 4.53
	s3mockVersion    = "4.12.4"
)

// Stores are all of them, the one of every run first.
var Stores = []*Store{
	{
		Name: "versitygw", Version: versitygwVersion,
		find: func(cache string) string { return first(cache, "tools-*", "versitygw") },
		start: func(program, address, dir string) (*exec.Cmd, error) {
			data, iam, versions := filepath.Join(dir, "data"), filepath.Join(dir, "iam"), filepath.Join(dir, "versions")
			cmd := exec.Command(program, "--port", address, "--quiet", "--iam-dir", iam, "posix", "--versioning-dir", versions, data)
			cmd.Env = []string{"ROOT_ACCESS_KEY=" + rootKey, "ROOT_SECRET_KEY=" + rootSecret}
			return cmd, errors.Join(os.MkdirAll(data, 0o700), os.MkdirAll(iam, 0o700), os.MkdirAll(versions, 0o700))
		},
		users: versitygwUsers,
	},
	{
		Name: "MinIO", Version: minioVersion,
		find: func(cache string) string { return first(cache, "stores", "minio-"+minioVersion, "minio") },
		build: func(ctx context.Context, cache string) error {
			cmd := exec.CommandContext(ctx, "go", "install", "-trimpath", "github.com/minio/minio@"+minioVersion)
			cmd.Env = append(os.Environ(), "GOBIN="+filepath.Join(cache, "stores", "minio-"+minioVersion), "GOFLAGS=-mod=mod")
			cmd.Stderr = os.Stderr
			return cmd.Run()
		},
		start: func(program, address, dir string) (*exec.Cmd, error) {
			cmd := exec.Command(program, "server", "--quiet", "--address", address, "--console-address", "127.0.0.1:0", filepath.Join(dir, "data"))
			cmd.Env = []string{"MINIO_ROOT_USER=" + rootKey, "MINIO_ROOT_PASSWORD=" + rootSecret, "MINIO_UPDATE=off"}
			return cmd, nil
		},
		users: minioUsers,
	},
	{
		Name: "SeaweedFS", Version: "4.53",
		find:  func(cache string) string { return first(cache, "stores", "seaweedfs-"+seaweedVersion, "weed") },
		build: buildSeaweed,
		start: startSeaweed,
		users: seaweedUsers,
	},
	{
		Name: "S3Mock", Version: s3mockVersion, Anybody: true,
		find:  func(cache string) string { return first(cache, "stores", "s3mock-"+s3mockVersion, "complete") },
		build: buildS3Mock,
		start: startS3Mock,
	},
}

// statement is a policy's one for a right; a principal is named where the bucket holds the policy.
func statement(right, principal string) string {
	who := ""
	if principal != "" {
		who = fmt.Sprintf(`"Principal":{"AWS":[%q]},`, principal)
	}
	if right == writes {
		return fmt.Sprintf(`{"Effect":"Allow",%s"Action":["s3:PutObject","s3:AbortMultipartUpload"],"Resource":["arn:aws:s3:::%s/%s*"]}`, who, bucket, prefix)
	}
	return fmt.Sprintf(`{"Effect":"Allow",%[1]s"Action":["s3:GetObject","s3:GetObjectVersion","s3:GetObjectAttributes"],"Resource":["arn:aws:s3:::%[2]s/*"]},`+
		`{"Effect":"Allow",%[1]s"Action":["s3:ListBucket","s3:ListBucketVersions"],"Resource":["arn:aws:s3:::%[2]s"]}`, who, bucket)
}

func policyOf(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// versitygwUsers makes users by its own command, and the bucket's policy says what they may do.
func versitygwUsers(ctx context.Context, s *Server) (map[string]key, error) {
	users, statements := map[string]key{}, []string{}
	for _, right := range []string{writes, reads} {
		k := key{ID: "user-that-" + right, Secret: "another-secret-of-nobody"}
		out, err := exec.CommandContext(ctx, s.program, "admin", "--access", rootKey, "--secret", rootSecret, "--endpoint-url", s.Endpoint,
			"create-user", "--access", k.ID, "--secret", k.Secret, "--role", "user").CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("create-user: %w: %s", err, out)
		}
		users[right] = k
		statements = append(statements, statement(right, k.ID))
	}
	return users, s.setPolicy(ctx, policyOf(statements...))
}

// minioUsers are sessions of the root user, held to a policy: its users are made with a program of their own.
func minioUsers(ctx context.Context, s *Server) (map[string]key, error) {
	users := map[string]key{}
	for _, right := range []string{writes, reads} {
		k, err := s.session(ctx, policyOf(statement(right, "")))
		if err != nil {
			return nil, err
		}
		users[right] = k
	}
	return users, nil
}

// buildSeaweed builds its module in its place: its go.mod has a replace, which go install refuses.
func buildSeaweed(ctx context.Context, cache string) error {
	dir, err := exec.CommandContext(ctx, "go", "mod", "download", "-json", "github.com/seaweedfs/seaweedfs@"+seaweedVersion).Output()
	if err != nil {
		return fmt.Errorf("download: %w: %s", err, dir)
	}
	_, rest, _ := strings.Cut(string(dir), `"Dir": "`)
	source, _, _ := strings.Cut(rest, `"`)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", filepath.Join(cache, "stores", "seaweedfs-"+seaweedVersion, "weed"), "./weed")
	cmd.Dir, cmd.Stderr = source, os.Stderr
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	return cmd.Run()
}

// The users of SeaweedFS stand in its configuration, from its start on.
var seaweedKeys = map[string]key{
	writes: {ID: "user-that-" + writes, Secret: "another-secret-of-nobody"},
	reads:  {ID: "user-that-" + reads, Secret: "another-secret-of-nobody"},
}

func seaweedUsers(context.Context, *Server) (map[string]key, error) { return seaweedKeys, nil }

func startSeaweed(program, address, dir string) (*exec.Cmd, error) {
	identities := fmt.Sprintf(`{"name":"root","credentials":[{"accessKey":%q,"secretKey":%q}],"actions":["Admin","Read","Write","List"]}`, rootKey, rootSecret)
	policies := ""
	for right, k := range seaweedKeys {
		identities += fmt.Sprintf(`,{"name":%[1]q,"credentials":[{"accessKey":%[1]q,"secretKey":%[2]q}],"policyNames":[%[3]q]}`, k.ID, k.Secret, right)
		if policies != "" {
			policies += ","
		}
		policies += fmt.Sprintf(`{"name":%q,"content":%q}`, right, policyOf(statement(right, "")))
	}
	users := filepath.Join(dir, "users.json")
	if err := os.WriteFile(users, []byte(`{"identities":[`+identities+`],"policies":[`+policies+`]}`), 0o600); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	args := []string{"-logtostderr", "server", "-dir", dir, "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1", "-filer", "-s3", "-s3.port", port, "-s3.config", users,
		"-s3.port.iceberg", "0", "-s3.port.lance", "0", "-s3.allowBackslashInKey", "-master.telemetry=false", "-master.volumeSizeLimitMB", "200", "-volume.max", "50"}
	for _, name := range []string{"s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"} {
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		_, port, _ := net.SplitHostPort(address) // it was one
		args = append(args, "-"+name, port)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	return cmd, nil
}

//go:embed s3mock/OnLoopback.java
var onLoopback []byte

// buildS3Mock fetches its program, by Maven, and unpacks it: started as it is, it listens on all addresses.
func buildS3Mock(ctx context.Context, cache string) error {
	dir := filepath.Join(cache, "stores", "s3mock-"+s3mockVersion)
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy", "-Dartifact=com.adobe.testing:s3mock:"+s3mockVersion+":jar:exec", "-DoutputDirectory="+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	if err := unpack(filepath.Join(dir, "s3mock-"+s3mockVersion+"-exec.jar"), dir); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "complete"), nil, 0o600)
}

// unpack unpacks a jar's classes and libraries.
func unpack(jar, dir string) error {
	archive, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer archive.Close() //nolint:errcheck // read only
	for _, f := range archive.File {
		if !strings.HasPrefix(f.Name, "BOOT-INF/") || strings.HasSuffix(f.Name, "/") || !filepath.IsLocal(f.Name) {
			continue
		}
		if err := unpackOne(f, filepath.Join(dir, f.Name)); err != nil {
			return err
		}
	}
	return nil
}

func unpackOne(f *zip.File, path string) error {
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // read only
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in) //nolint:gosec // a pinned program's
	return errors.Join(err, out.Close())
}

func startS3Mock(program, address, dir string) (*exec.Cmd, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, ErrNotBuilt
	}
	source := filepath.Join(dir, "OnLoopback.java")
	if err := os.WriteFile(source, onLoopback, 0o600); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	other, err := freeAddress() // of TLS
	if err != nil {
		return nil, err
	}
	_, tls, _ := net.SplitHostPort(other) // it was one
	classes := filepath.Join(filepath.Dir(program), "BOOT-INF")
	return exec.Command(java, "-Xmx512m", "-cp", filepath.Join(classes, "classes")+":"+filepath.Join(classes, "lib", "*"), source,
		"--com.adobe.testing.s3mock.httpPort="+port, "--server.port="+tls, "--server.address=127.0.0.1", "--com.adobe.testing.s3mock.store.root="+filepath.Join(dir, "data")), nil
}
