package decide

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/policy"
)

var update = flag.Bool("update", false, "make the corpus of the second opinion anew (needs npm)")

const corpusFile = "testdata/second-opinion.jsonl.gz"

// corpusSet is one line of the corpus: a principal with its documents, and what
// it asks for.
type corpusSet struct {
	Principal string            `json:"principal"`
	Tags      map[string]string `json:"tags,omitempty"`
	Owner     string            `json:"owner,omitempty"` // of the bucket, where it is another account
	Documents []corpusDocument  `json:"documents"`
	Asks      []corpusAsk       `json:"asks"`
}

type corpusDocument struct {
	Kind   policy.Kind     `json:"kind"`
	Level  string          `json:"level,omitempty"`
	On     string          `json:"on,omitempty"` // what it hangs on, where that isn't the bucket
	Policy json.RawMessage `json:"policy"`
}

// corpusAsk is one request with iam-simulate's answer.
type corpusAsk struct {
	ID       string              `json:"id"` // begins the hash of principal, documents and request
	Action   string              `json:"action"`
	Resource string              `json:"resource"`
	Context  map[string][]string `json:"context,omitempty"`
	Answer   string              `json:"answer"`
}

// subjectOf makes the subject that a line of the corpus is about.
func subjectOf(arn string, tags map[string]string) policy.Subject {
	parts := policy.Segments(arn)
	s := policy.Subject{ARN: arn, Partition: parts[1], Account: parts[4], Tags: tags, TagsKnown: true}
	kind, rest, _ := strings.Cut(parts[5], "/")
	switch kind {
	case "user":
		s.Type, s.UniqueID = policy.User, theUser().UniqueID
	case "role":
		s.Type, s.UniqueID = policy.Role, theRole().UniqueID
	case "assumed-role":
		s.Type, s.UniqueID, s.Path = policy.RoleSession, theRole().UniqueID, "/buzon/"
		s.Name, _, _ = strings.Cut(rest, "/")
		return s
	case "federated-user":
		s.Type = policy.FederatedUser
	case "root":
		s.Type = policy.Root
		return s
	}
	path, name := "/", rest
	if i := strings.LastIndex(rest, "/"); i >= 0 {
		path, name = "/"+rest[:i+1], rest[i+1:]
	}
	s.Path, s.Name = path, name
	return s
}

func (c *corpusSet) set(t testing.TB) *policy.Set {
	t.Helper()
	set := &policy.Set{Subject: subjectOf(c.Principal, c.Tags), Bucket: "slot", BucketAccount: account}
	if c.Owner != "" {
		set.BucketAccount = c.Owner
	}
	for _, d := range c.Documents {
		parsed, err := policy.Parse(string(d.Kind), d.Policy, policy.ParseOptions{Grammar: judgetest.Grammar(d.Kind)})
		if err != nil {
			t.Fatalf("%v in %s", err, d.Policy)
		}
		set.Sources = append(set.Sources, policy.Source{Kind: d.Kind, Level: d.Level, Attached: d.On, Document: parsed})
	}
	return set
}

// readCorpus reads the corpus and checks that its ids are what they say.
func readCorpus(t *testing.T) []corpusSet {
	t.Helper()
	file, err := os.Open(corpusFile)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	packed, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(packed)
	if err != nil {
		t.Fatal(err)
	}
	var sets []corpusSet
	for line := range bytes.Lines(text) {
		var c corpusSet
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c); err != nil {
			t.Fatalf("line %d: %v", len(sets)+1, err)
		}
		for _, a := range c.Asks {
			if id := c.id(a); id != a.ID {
				t.Fatalf("line %d: %s is not the id of what it stands beside: %s", len(sets)+1, a.ID, id)
			}
		}
		sets = append(sets, c)
	}
	return sets
}

// key is what makes two rows one line.
func (c *corpusSet) key() string {
	text, err := json.Marshal(corpusSet{c.Principal, c.Tags, c.Owner, c.Documents, nil})
	if err != nil {
		panic(err) // only strings
	}
	return string(text)
}

func (c *corpusSet) id(a corpusAsk) string {
	text, err := json.Marshal([]any{c.key(), a.Action, a.Resource, a.Context})
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:4])
}

// TestASecondOpinion holds this package against the recorded answers of
// iam-simulate. Every disagreement is listed, with its reason.
func TestASecondOpinion(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/decisions/second-opinion.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := make(map[string]string)
	for reason, ids := range disagreements {
		if !bytes.Contains(page, []byte("\n### "+reason+"\n")) {
			t.Errorf("docs/decisions/second-opinion.md doesn't explain %q", reason)
		}
		for id := range strings.FieldsSeq(ids) {
			if explained[id] != "" {
				t.Errorf("%s is listed twice", id)
			}
			explained[id] = reason
		}
	}
	seen := make(map[string]bool)
	counts := make(map[string]int)
	agreed := 0
	layers := make(map[string]int)
	for _, c := range readCorpus(t) {
		e := New(c.set(t))
		for _, a := range c.Asks {
			for _, layer := range c.layers(a) {
				layers[layer]++
			}
			if seen[a.ID] {
				t.Errorf("%s stands twice in the corpus", a.ID)
			}
			seen[a.ID] = true
			got := e.Decide(Request{Action: a.Action, Resource: a.Resource, Context: a.Context}).Outcome.String()
			counts[a.Answer]++
			switch reason := explained[a.ID]; {
			case got == a.Answer && reason != "":
				t.Errorf("%s is listed (%s), but both say %s", a.ID, reason, got)
			case got == a.Answer:
				agreed++
			case reason == "":
				ask, _ := json.Marshal(a)
				t.Errorf("%s: a new disagreement: we say %s, iam-simulate %s\n%s\n%s", a.ID, got, a.Answer, c.key(), ask)
			}
		}
	}
	for id, reason := range explained {
		if !seen[id] {
			t.Errorf("%s is listed (%s), but not in the corpus", id, reason)
		}
	}
	if len(seen) < 1000 {
		t.Errorf("only %d pairs", len(seen))
	}
	for _, o := range []Outcome{Allowed, ExplicitDeny, ImplicitDeny} {
		if counts[o.String()] < 200 {
			t.Errorf("iam-simulate says %v only %d times: the corpus has grown blind", o, counts[o.String()])
		}
	}
	for _, layer := range everyLayer {
		if layers[layer] < 100 {
			t.Errorf("only %d pairs about %s", layers[layer], layer)
		}
	}
	t.Logf("by layer: %v", layers)
	t.Logf("%d pairs: %d agree, %d differ for %d reasons; iam-simulate says %v", len(seen), agreed, len(explained), len(disagreements), counts)
}

// everyLayer is what the corpus must be about, a hundred pairs each.
var everyLayer = []string{
	"identity", "group", "boundary", "session", "bucket-policy", "key-policy", "trust", "scp", "rcp", "one account", "two accounts",
	"iam: on a role", "sts: on a role", "kms: on a key", "kms: without a key",
}

// layers tells what a pair is about.
func (c *corpusSet) layers(a corpusAsk) []string {
	seen := map[string]bool{}
	for _, d := range c.Documents {
		switch d.Kind {
		case policy.GroupInline, policy.GroupManaged:
			seen["group"] = true
		case policy.UserInline, policy.UserManaged, policy.RoleInline, policy.RoleManaged:
			seen["identity"] = true
		case policy.Boundary, policy.Session, policy.Trust, policy.BucketPolicy, policy.AccessPoint, policy.KeyPolicy, policy.SCP,
			policy.RCP, policy.ResourcePolicy, policy.KMSGrant, policy.ACL, policy.LambdaPermission:
			seen[string(d.Kind)] = true
		}
	}
	accounts := "one account"
	if parts := policy.Segments(a.Resource); c.Owner != "" && c.Owner != account || len(parts) == 6 && parts[4] != "" && parts[4] != account {
		accounts = "two accounts"
	}
	service, _, _ := strings.Cut(a.Action, ":")
	switch {
	case strings.Contains(a.Resource, ":role/"):
		seen[service+": on a role"] = true
	case strings.Contains(a.Resource, ":key/"):
		seen[service+": on a key"] = true
	case service == "kms":
		seen["kms: without a key"] = true
	}
	return append(slices.Collect(maps.Keys(seen)), accounts)
}

// TestTheCorpusHoldsEveryRow makes the rows of this package's tables again: all of
// them stand in the corpus.
func TestTheCorpusHoldsEveryRow(t *testing.T) {
	have := make(map[string]bool)
	for _, c := range readCorpus(t) {
		for _, a := range c.Asks {
			have[a.ID] = true
		}
	}
	missing := 0
	for _, c := range tableCorpus(t) {
		for _, a := range c.Asks {
			if !have[a.ID] {
				ask, _ := json.Marshal(a)
				t.Errorf("not in the corpus:\n%s\n%s", c.key(), ask)
				if missing++; missing == 5 {
					t.Fatal("… run `go test ./agent/internal/judge/decide -run TestTheRecord -update`")
				}
			}
		}
	}
}

// TestTheRecordIsWhatIAMSimulateSays asks the program itself again, where npm is
// to be had.
func TestTheRecordIsWhatIAMSimulateSays(t *testing.T) {
	if testing.Short() && !*update {
		t.Skip("SKIPPED with -short: asking iam-simulate itself")
	}
	folder, err := simulator(t)
	if err != nil {
		if *update {
			t.Fatal(err)
		}
		fmt.Printf("SKIPPED: iam-simulate itself can't be asked, only its record: %v\n", err)
		t.Skip()
	}
	sets := readCorpusOr(t)
	answers := ask(t, folder, sets)
	if *update {
		writeCorpus(t, sets, answers)
		return
	}
	for _, c := range sets {
		for _, a := range c.Asks {
			if got := answers[a.ID]; got.Answer != a.Answer || len(got.Ignored) > 0 {
				t.Errorf("%s: recorded %s, but it says %s (%s) and ignores %v", a.ID, a.Answer, got.Answer, got.Why, got.Ignored)
			}
		}
	}
	t.Logf("%d sets asked again", len(sets))
}

func readCorpusOr(t *testing.T) []corpusSet {
	if *update {
		return renewedCorpus(t)
	}
	return readCorpus(t)
}

// simulator installs the pinned iam-simulate into the cache, once, and returns
// the folder.
func simulator(t *testing.T) (string, error) {
	for _, program := range []string{"npm", "node"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", err
		}
	}
	const from = "../../../../scripts/tools/iam-simulate"
	cache := os.Getenv("BUZON_CACHE")
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(base, "buzon")
	}
	sum := sha256.New()
	files := make(map[string][]byte)
	for _, name := range []string{"package.json", "package-lock.json", "simulate.js"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return "", err
		}
		files[name] = text
		sum.Write(text)
	}
	folder := filepath.Join(cache, "iam-simulate-"+hex.EncodeToString(sum.Sum(nil)[:6]))
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(cache, "iam-simulate-new-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(fresh) }()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(fresh, name), text, 0o644); err != nil {
			return "", err
		}
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = fresh
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	if err := os.Rename(fresh, folder); err != nil && !errors.Is(err, os.ErrExist) {
		if _, there := os.Stat(folder); there != nil {
			return "", err
		}
	}
	return folder, nil
}

// simulated is what the program answers to one request.
type simulated struct {
	ID, Answer string
	Why        json.RawMessage
	Ignored    []string
}

// ask puts every request of the sets to iam-simulate: with the condition keys
// that follow from the principal, and the one resource policy that bears on it.
func ask(t *testing.T, folder string, sets []corpusSet) map[string]simulated {
	t.Helper()
	var in, out bytes.Buffer
	enc := json.NewEncoder(&in)
	enc.SetEscapeHTML(false)
	for _, c := range sets {
		e := New(c.set(t))
		for _, a := range c.Asks {
			r := e.request(Request{Action: a.Action, Resource: a.Resource, Context: a.Context})
			keys := maps.Clone(e.fixed)
			for _, key := range []string{"aws:resourceaccount", "s3:resourceaccount"} {
				if v := r.values(key); v != nil {
					keys[key] = v
				}
			}
			maps.Copy(keys, a.Context)
			owner := r.account
			if owner == "" {
				owner = e.subject.Account
			}
			documents := make([]corpusDocument, 0, len(c.Documents))
			for i, d := range c.Documents {
				if src := &e.sources[i]; src.ofResource() && r.Resource != src.attached && r.bucket(src) == "" && r.under(src.attached) == "" {
					continue
				}
				documents = append(documents, d)
			}
			err := enc.Encode(map[string]any{
				"id": a.ID, "principal": c.Principal, "documents": documents,
				"request": map[string]any{"action": a.Action, "resource": a.Resource, "account": owner, "context": keys},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	program := exec.CommandContext(t.Context(), "node", "simulate.js")
	program.Dir, program.Stdin, program.Stdout, program.Stderr = folder, &in, &out, os.Stderr
	if err := program.Run(); err != nil {
		t.Fatal(err)
	}
	answers := make(map[string]simulated)
	dec := json.NewDecoder(&out)
	for {
		var s simulated
		switch err := dec.Decode(&s); {
		case errors.Is(err, io.EOF):
			return answers
		case err != nil:
			t.Fatal(err)
		}
		answers[s.ID] = s
	}
}

// writeCorpus keeps what got an answer, and says what did not.
func writeCorpus(t *testing.T, sets []corpusSet, answers map[string]simulated) {
	t.Helper()
	file, err := os.Create(corpusFile)
	if err != nil {
		t.Fatal(err)
	}
	w, err := gzip.NewWriterLevel(file, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	dropped := make(map[string][]string)
	for _, c := range sets {
		asks := c.Asks[:0:0]
		for _, a := range c.Asks {
			got := answers[a.ID]
			switch {
			case len(got.Ignored) > 0:
				dropped[fmt.Sprintf("ignores %v", got.Ignored)] = append(dropped[fmt.Sprintf("ignores %v", got.Ignored)], a.ID)
			case got.Answer == "refused" || got.Answer == "":
				dropped[string(got.Why)] = append(dropped[string(got.Why)], a.ID)
			default:
				a.Answer = got.Answer
				asks = append(asks, a)
			}
		}
		if c.Asks = asks; len(asks) > 0 {
			if err := enc.Encode(c); err != nil {
				t.Fatal(err)
			}
		}
	}
	for why, ids := range dropped {
		t.Logf("left out: %s: %s", why, strings.Join(ids, " "))
	}
	if err := errors.Join(w.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
}
