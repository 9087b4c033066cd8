package stores

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	bucket = "buzon"
	prefix = "vm1/"
	big    = 40 << 20 // bytes: above 32 MiB a file is sent in parts
)

// Step is one part of the story. Its result is what the table says: "yes", "no: …" or "–".
type Step struct {
	Name string // a key of the tables' words
	run  func(*story) string
}

// Steps are the story.
var Steps = []Step{
	{"user", (*story).writeOnly},
	{"gate", (*story).gate},
	{"files", (*story).files},
	{"again", (*story).again},
	{"parts", (*story).parts},
	{"killed", (*story).killed},
	{"conflict", (*story).conflict},
	{"long", (*story).long},
	{"wrong-key", (*story).wrongKey},
	{"receipts", (*story).receipts},
	{"leftover", (*story).leftover},
}

// story is one that is being told.
type story struct {
	ctx         context.Context
	server      *Server
	agent, dir  string
	key, secret string
	writesOnly  bool
	admin       *s3.Client
	log         func(string)
}

// Tell tells the story against a server with a built agent, and gives the result of each step.
func Tell(ctx context.Context, server *Server, agent, dir string, log func(string)) (map[string]string, error) {
	s := &story{ctx: ctx, server: server, agent: agent, dir: dir, log: log, key: server.Store.RootKey, secret: server.Store.RootSecret}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion("us-east-1"), config.WithCredentialsProvider(aws.CredentialsProviderFunc(
		func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: server.Store.RootKey, SecretAccessKey: server.Store.RootSecret}, nil
		})))
	if err != nil {
		return nil, err
	}
	s.admin = s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = aws.String(server.Endpoint), true })
	if _, err := s.admin.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		return nil, fmt.Errorf("create the bucket: %w", err)
	}
	if _, err := s.admin.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: aws.String(bucket),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		log("no versions: " + err.Error())
	}
	results := map[string]string{}
	for _, step := range Steps {
		results[step.Name] = step.run(s)
		log(step.Name + ": " + results[step.Name])
	}
	return results, nil
}

// policy sets the bucket's policy.
func (s *Server) policy(ctx context.Context, bucket, document string) error {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion("us-east-1"), config.WithCredentialsProvider(aws.CredentialsProviderFunc(
		func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: s.Store.RootKey, SecretAccessKey: s.Store.RootSecret}, nil
		})))
	if err != nil {
		return err
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = aws.String(s.Endpoint), true })
	_, err = client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &document})
	return err
}

// said is what a command of the agent ended with.
type said struct {
	code int
	text string
}

// as runs the agent with a key, on a state of its own.
func (s *story) as(key, secret, state string, args ...string) said {
	overpowered := "refuse"
	if !s.writesOnly {
		overpowered = "warn"
	}
	file := filepath.Join(s.dir, state+".yaml")
	text := fmt.Sprintf("bucket: %s\nprefix: %s\nregion: us-east-1\nendpoint: %s\nstate: %s\nidentity: { overpowered: %s }\n", bucket, prefix, s.server.Endpoint, filepath.Join(s.dir, state), overpowered)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return said{-1, err.Error()}
	}
	cmd := exec.CommandContext(s.ctx, s.agent, append(args, "--config", file)...)
	cmd.Env = append(s.server.env(key, secret), "HOME="+s.dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return said{exit.ExitCode(), out.String()}
	case err != nil:
		return said{-1, err.Error()}
	}
	return said{0, out.String()}
}

func (s *story) uploads(state string, args ...string) said {
	return s.as(s.key, s.secret, state, append([]string{"upload"}, args...)...)
}

// no is a result that is none, with the first words of why.
func (s *story) no(r said) string {
	s.log(r.text)
	line, _, _ := strings.Cut(strings.TrimSpace(r.text), "\n")
	return fmt.Sprintf("no: exit %d: %.90s", r.code, line)
}

func (s *story) writeOnly() string {
	if s.server.Store.user == nil {
		return "–"
	}
	key, secret, err := s.server.Store.user(s.ctx, s.server, bucket, prefix)
	if err != nil {
		return "no: " + err.Error()
	}
	s.key, s.secret, s.writesOnly = key, secret, true
	return "yes"
}

func (s *story) gate() string {
	for range 2 { // the second time before a canary that stands
		if r := s.as(s.key, s.secret, "gate", "check"); r.code != 0 || !strings.Contains(r.text, "✓ store") {
			return s.no(r)
		}
	}
	return "yes"
}

// names are files of every kind of name.
var names = []string{"plain.txt", "empty", "a b+c%2f&d=e.txt", "ä☕日本.txt", "deep/er/and deeper/x", "~'!()*;:@$,", "trailing.", "UPPER", "quote\".txt", "back\\slash", "tab\tx"}

func (s *story) out(name string) string { return filepath.Join(s.dir, name) }

func (s *story) files() string {
	for i, name := range names {
		path := filepath.Join(s.out("files"), name)
		content := bytes.Repeat([]byte(name), 1+i*9000)
		if name == "empty" {
			content = nil
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			return "no: " + err.Error()
		}
	}
	if r := s.uploads("main", s.out("files")); r.code != 0 {
		return s.no(r)
	}
	for i, name := range names {
		want := len(name) * (1 + i*9000)
		if name == "empty" {
			want = 0
		}
		head, err := s.admin.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String(prefix + name)})
		if err != nil || int(aws.ToInt64(head.ContentLength)) != want {
			return fmt.Sprintf("no: %q: %v", name, err)
		}
	}
	return "yes"
}

func (s *story) again() string {
	if r := s.uploads("main", s.out("files")); r.code != 0 || strings.Contains(r.text, "Sent ") && !strings.Contains(r.text, "sent before") {
		return s.no(r)
	}
	return "yes"
}

func (s *story) bigFile(name string) (string, error) {
	path := s.out(name)
	return path, os.WriteFile(path, bytes.Repeat([]byte("0123456789abcdef"), big/16), 0o600)
}

func (s *story) parts() string {
	path, err := s.bigFile("big.bin")
	if err != nil {
		return "no: " + err.Error()
	}
	if r := s.uploads("main", path); r.code != 0 {
		return s.no(r)
	}
	return "yes"
}

// killed kills the agent in the middle of a large file, and lets the next one go on.
func (s *story) killed() string {
	path, err := s.bigFile("killed.bin")
	if err != nil {
		return "no: " + err.Error()
	}
	slow := s.uploadsUntil("killed", 1500*time.Millisecond, path, "--limit", "8MiB")
	if slow != nil {
		return "no: " + slow.Error()
	}
	if r := s.uploads("killed", path); r.code != 0 {
		return s.no(r)
	}
	return "yes"
}

// uploadsUntil kills an upload after a while.
func (s *story) uploadsUntil(state string, after time.Duration, args ...string) error {
	s.as(s.key, s.secret, state, "config", "validate") // writes the configuration
	cmd := exec.CommandContext(s.ctx, s.agent, append([]string{"upload", "--config", filepath.Join(s.dir, state+".yaml")}, args...)...)
	cmd.Env = append(s.server.env(s.key, s.secret), "HOME="+s.dir)
	if err := cmd.Start(); err != nil {
		return err
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
	defer timer.Stop()
	if err := cmd.Wait(); err == nil {
		return errors.New("it was done before it was killed")
	}
	return nil
}

// conflict finds that somebody else's objects are kept, small and in parts.
func (s *story) conflict() string {
	path, err := s.bigFile("theirs.bin")
	if err == nil {
		err = os.WriteFile(s.out("theirs.txt"), []byte("mine"), 0o600)
	}
	if err != nil {
		return "no: " + err.Error()
	}
	for _, name := range []string{"theirs.txt", "theirs.bin"} {
		if _, err := s.admin.PutObject(s.ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(prefix + name), Body: strings.NewReader("theirs")}); err != nil {
			return "no: " + err.Error()
		}
	}
	if r := s.uploads("conflict", s.out("theirs.txt"), path); r.code != 0 {
		return s.no(r)
	}
	for _, name := range []string{"theirs.txt", "theirs.bin"} {
		head, err := s.admin.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String(prefix + name)})
		if err != nil || aws.ToInt64(head.ContentLength) != int64(len("theirs")) {
			return fmt.Sprintf("no: %s was replaced: %v", name, err)
		}
	}
	return "yes"
}

// long sends names of 250 bytes, which a store on a file system can hold, and one that makes way for another's.
func (s *story) long() string {
	name := strings.Repeat("n", 246) + ".txt"
	if err := os.WriteFile(s.out(name), []byte("long"), 0o600); err != nil {
		return "no: " + err.Error()
	}
	if r := s.uploads("long", s.out(name)); r.code != 0 {
		return s.no(r)
	}
	return "yes"
}

func (s *story) wrongKey() string {
	if s.server.Store.Anybody {
		return "–"
	}
	r := s.as(s.key, "a-secret-that-is-wrong", "gate", "check")
	if r.code != 3 || !strings.Contains(r.text, "its secret is not the right one") {
		return s.no(r)
	}
	r = s.as("nobody-has-this-key", s.secret, "gate", "check")
	if r.code != 3 || !strings.Contains(r.text, "is not known there") {
		return s.no(r)
	}
	return "yes"
}

// receipts holds the receipts of the files against the bucket, with the key of whoever runs the store.
func (s *story) receipts() string {
	list := s.as(s.key, s.secret, "main", "receipts", "export")
	file := s.out("receipts.jsonl")
	if err := os.WriteFile(file, []byte(list.text), 0o600); err != nil || list.code != 0 {
		return s.no(list)
	}
	r := s.as(s.server.Store.RootKey, s.server.Store.RootSecret, "reader", "receipts", "verify", "--receipts", file)
	if strings.Contains(r.text, "✗ missing") || strings.Contains(r.text, "✗ differs") || r.code != 0 && r.code != 1 || !strings.Contains(r.text, fmt.Sprint(len(names)+1)) {
		return s.no(r)
	}
	return "yes"
}

// leftover counts unfinished uploads: nobody but the store removes them.
func (s *story) leftover() string {
	list, err := s.admin.ListMultipartUploads(s.ctx, &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
	if err != nil {
		return "–"
	}
	return fmt.Sprint(len(list.Uploads))
}
