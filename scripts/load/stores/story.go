package stores

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
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
	{"vanished", (*story).vanished},
	{"conflict", (*story).conflict},
	{"long", (*story).long},
	{"wrong-key", (*story).wrongKey},
	{"receipts", (*story).receipts},
	{"leftover", (*story).leftover},
}

// story is one that is being told.
type story struct {
	ctx        context.Context
	server     *Server
	agent, dir string
	users      map[string]key
	admin      *s3.Client
	log        func(string)
}

// root is who runs the store.
var root = key{ID: rootKey, Secret: rootSecret}

// Tell tells the story against a server with a built agent, and gives the result of each step. Behind a gate that is
// shut nothing is sent, so the story ends there.
func Tell(ctx context.Context, server *Server, agent, dir string, log func(string)) (map[string]string, error) {
	s := &story{ctx: ctx, server: server, agent: agent, dir: dir, log: log, users: map[string]key{}}
	s.admin = s3.NewFromConfig(server.rootConfig(), func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = aws.String(server.Endpoint), true })
	if err := s.makeBucket(); err != nil {
		return nil, fmt.Errorf("create the bucket: %w", err)
	}
	results := map[string]string{}
	for _, step := range Steps {
		results[step.Name] = step.run(s)
		log(step.Name + ": " + results[step.Name])
		if step.Name == "gate" && results["gate"] != "yes" {
			break
		}
	}
	return results, nil
}

// makeBucket makes the bucket, once the store's parts have found each other.
func (s *story) makeBucket() error {
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	for {
		_, err := s.admin.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)})
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
	if _, err := s.admin.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: aws.String(bucket),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		s.log("no versions: " + err.Error())
	}
	return nil
}

// rootConfig is the SDK's, with the key of whoever runs the store.
func (s *Server) rootConfig() aws.Config {
	return aws.Config{Region: "us-east-1", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: rootKey, SecretAccessKey: rootSecret}, nil
	})}
}

// setPolicy sets the bucket's policy.
func (s *Server) setPolicy(ctx context.Context, document string) error {
	client := s3.NewFromConfig(s.rootConfig(), func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = aws.String(s.Endpoint), true })
	_, err := client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String(bucket), Policy: &document})
	return err
}

// session is the root user's, held to a policy.
func (s *Server) session(ctx context.Context, document string) (key, error) {
	client := sts.NewFromConfig(s.rootConfig(), func(o *sts.Options) { o.BaseEndpoint = aws.String(s.Endpoint) })
	out, err := client.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::000000000000:role/any"), RoleSessionName: aws.String("any"), Policy: &document})
	if err != nil {
		return key{}, err
	}
	return key{ID: aws.ToString(out.Credentials.AccessKeyId), Secret: aws.ToString(out.Credentials.SecretAccessKey), Token: aws.ToString(out.Credentials.SessionToken)}, nil
}

// said is what a command of the agent ended with.
type said struct {
	code int
	text string
	out  string // of text, what is on stdout
}

// as runs the agent with a key, on a state of its own.
func (s *story) as(k key, state string, args ...string) said {
	overpowered := "refuse"
	if s.server.Store.Anybody {
		overpowered = "warn"
	}
	file := filepath.Join(s.dir, state+".yaml")
	text := fmt.Sprintf("bucket: %s\nprefix: %s\nregion: us-east-1\nendpoint: %s\nstate: %s\nidentity: { overpowered: %s }\n", bucket, prefix, s.server.Endpoint, filepath.Join(s.dir, state), overpowered)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return said{code: -1, text: err.Error()}
	}
	cmd := exec.CommandContext(s.ctx, s.agent, append(args, "--config", file)...)
	cmd.Env = append(s.server.env(k), "HOME="+s.dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return said{code: -1, text: err.Error()}
	}
	return said{cmd.ProcessState.ExitCode(), errs.String() + out.String(), out.String()}
}

func (s *story) uploads(state string, args ...string) said {
	return s.as(s.writer(), state, append([]string{"upload"}, args...)...)
}

// no is a result that is none, with the store's word for it or else the first words of the agent.
func (s *story) no(r said) string {
	s.log(r.text)
	word, _, _ := strings.Cut(strings.TrimSpace(r.out), "\n")
	if found := answer.FindString(r.text); found != "" {
		word = found
	}
	return fmt.Sprintf("no: %.90s", word)
}

// answer is what a store said, as the agent quotes it.
var answer = regexp.MustCompile(`\[[^\]·]+\]`)

func (s *story) writer() key { return s.who(writes) }

// who is whoever has a right; where everybody has all, it is anybody.
func (s *story) who(right string) key {
	if k, ok := s.users[right]; ok {
		return k
	}
	return root
}

func (s *story) writeOnly() string {
	if s.server.Store.Anybody {
		return "–"
	}
	users, err := s.server.Store.users(s.ctx, s.server)
	if err != nil {
		return "no: " + err.Error()
	}
	s.users = users
	return "yes"
}

func (s *story) gate() string {
	for range 2 { // the second time before a canary that stands
		r := s.as(s.writer(), "gate", "check", "--format", "json")
		var told struct {
			Passed bool
			Checks []struct{ ID, Status, Outcome string }
		}
		if err := json.Unmarshal([]byte(r.out), &told); err != nil {
			return s.no(r)
		}
		proven := false
		for _, c := range told.Checks {
			if c.Status == "failed" {
				s.log(r.out)
				return "no: `" + c.Outcome + "`"
			}
			proven = proven || c.ID == "store" && c.Status == "ok"
		}
		if !proven || !told.Passed || r.code != 0 {
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
	path, err := s.killedIn("killed")
	if err != nil {
		return "no: " + err.Error()
	}
	if r := s.uploads("killed", path); r.code != 0 {
		return s.no(r)
	}
	return "yes"
}

// vanished has the store forget an upload whose agent was killed in the middle, as a rule for unfinished ones does: the
// next agent begins anew, and soon.
func (s *story) vanished() string {
	path, err := s.killedIn("vanished")
	if err != nil {
		return "no: " + err.Error()
	}
	list, err := s.admin.ListMultipartUploads(s.ctx, &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
	if err != nil {
		return "no: " + err.Error()
	}
	gone := 0
	for _, u := range list.Uploads {
		if aws.ToString(u.Key) != prefix+filepath.Base(path) {
			continue
		}
		if _, err := s.admin.AbortMultipartUpload(s.ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String(bucket), Key: u.Key, UploadId: u.UploadId}); err != nil {
			return "no: " + err.Error()
		}
		gone++
	}
	if gone == 0 {
		return "no: there is no upload to forget"
	}
	began := time.Now()
	if r := s.uploads("vanished", path); r.code != 0 {
		return s.no(r)
	}
	if took := time.Since(began); took > 20*time.Second {
		return fmt.Sprintf("no: it took %s", took.Round(time.Second))
	}
	return "yes"
}

// killedIn kills an upload of a large file once the journal holds some of it.
func (s *story) killedIn(state string) (path string, err error) {
	if path, err = s.bigFile(state + ".bin"); err != nil {
		return "", err
	}
	s.as(s.writer(), state, "config", "validate") // writes the configuration
	cmd := exec.CommandContext(s.ctx, s.agent, "upload", "--config", filepath.Join(s.dir, state+".yaml"), path, "--limit", "8MiB")
	cmd.Env = append(s.server.env(s.writer()), "HOME="+s.dir)
	if err := cmd.Start(); err != nil {
		return "", err
	}
	timer := time.AfterFunc(2500*time.Millisecond, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
	defer timer.Stop()
	if err := cmd.Wait(); err == nil {
		return "", errors.New("it was done before it was killed")
	}
	return path, nil
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
	r := s.as(key{ID: rootKey, Secret: "a-secret-that-is-wrong"}, "gate", "check")
	if r.code != 3 || !strings.Contains(r.text, "its secret is not the right one") {
		return s.no(r)
	}
	r = s.as(key{ID: "nobody-has-this-key", Secret: rootSecret}, "gate", "check")
	if r.code != 3 || !strings.Contains(r.text, "is not known there") {
		return s.no(r)
	}
	return "yes"
}

// receipts holds the receipts of the files against the bucket, with a reader's key.
func (s *story) receipts() string {
	list := s.as(s.writer(), "main", "receipts", "export")
	file := s.out("receipts.jsonl")
	if err := os.WriteFile(file, []byte(list.out), 0o600); err != nil || list.code != 0 {
		return s.no(list)
	}
	r := s.as(s.who(reads), "reader", "receipts", "verify", "--receipts", file, "--format", "json")
	var told struct{ Receipts, Matched int64 }
	if err := json.Unmarshal([]byte(r.out), &told); err != nil || told.Matched != int64(len(names)+1) || told.Receipts != told.Matched || r.code > 1 {
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
