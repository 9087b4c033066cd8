package stores

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const rootSecret = "not-a-secret-of-anybody"

// The versions that are measured.
const (
	versitygwVersion = "1.8.0"
	minioVersion     = "v0.0.0-20260212201848-7aac2a2c5b7c"
)

// Stores are all of them, the one of every run first.
var Stores = []*Store{
	{
		Name: "versitygw", Version: versitygwVersion, RootKey: "root-of-the-store", RootSecret: rootSecret,
		find: func(cache string) string { return first(cache, "tools-*", "versitygw") },
		start: func(program, address, dir string) *exec.Cmd {
			data, iam, versions := filepath.Join(dir, "data"), filepath.Join(dir, "iam"), filepath.Join(dir, "versions")
			for _, folder := range []string{data, iam, versions} {
				_ = os.MkdirAll(folder, 0o700) // the program says what is wrong with it
			}
			cmd := exec.Command(program, "--port", address, "--quiet", "--iam-dir", iam, "posix", "--versioning-dir", versions, data)
			cmd.Env = []string{"ROOT_ACCESS_KEY=root-of-the-store", "ROOT_SECRET_KEY=" + rootSecret, "PATH=" + os.Getenv("PATH")}
			return cmd
		},
		user: func(ctx context.Context, s *Server, bucket, prefix string) (key, secret string, err error) {
			key, secret = "uploader-of-vm-01", "another-secret-of-nobody"
			out, err := exec.CommandContext(ctx, s.program, "admin", "--access", s.Store.RootKey, "--secret", s.Store.RootSecret, "--endpoint-url", s.Endpoint,
				"create-user", "--access", key, "--secret", secret, "--role", "user").CombinedOutput()
			if err != nil {
				return "", "", fmt.Errorf("create-user: %w: %s", err, out)
			}
			return key, secret, s.policy(ctx, bucket, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":[%q]},"Action":["s3:PutObject","s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::%s/%s*"}]}`, key, bucket, prefix))
		},
	},
	{
		Name: "MinIO", Version: minioVersion, RootKey: "root-of-the-store", RootSecret: rootSecret,
		find: func(cache string) string { return first(cache, "stores", "minio-"+minioVersion, "minio") },
		build: func(ctx context.Context, cache string) error {
			cmd := exec.CommandContext(ctx, "go", "install", "-trimpath", "github.com/minio/minio@"+minioVersion)
			cmd.Env = append(os.Environ(), "GOBIN="+filepath.Join(cache, "stores", "minio-"+minioVersion), "GOFLAGS=-mod=mod")
			cmd.Stderr = os.Stderr
			return cmd.Run()
		},
		start: func(program, address, dir string) *exec.Cmd {
			cmd := exec.Command(program, "server", "--quiet", "--address", address, "--console-address", "127.0.0.1:0", filepath.Join(dir, "data"))
			cmd.Env = []string{"MINIO_ROOT_USER=root-of-the-store", "MINIO_ROOT_PASSWORD=" + rootSecret, "PATH=" + os.Getenv("PATH"), "HOME=" + dir, "MINIO_UPDATE=off"}
			return cmd
		},
	},
}
