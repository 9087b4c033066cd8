package sources

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/sync/errgroup"

	"buzon/agent/policy"
)

// live reads an account through the APIs. Reads that come to nothing become
// gaps; only what makes all else pointless (no credentials, nobody who answers, a
// canceled context) ends it.
type live struct {
	*loader
	state
	bounds  bounds
	telling sync.Mutex // one at a time tells

	iam       *iam.Client
	out       *account
	partition string
	own       string // account id of the caller, "" where nobody could be asked

	policies memo[*managedRead]
	groups   memo[*holder]
	trusted  map[string]bool       // roles whose trust policy is in out
	report   map[string]credential // the credential report, by ARN; nil where there is none
}

// readers is how many principals are read at a time.
const readers = 8

func (l *loader) readLive(ctx context.Context) (*account, error) {
	if l.sel.Bucket == "" {
		return nil, &UsageError{Code: UsageNoBucket}
	}
	v := newLive(l)
	ctx = l.recording(ctx)
	for _, step := range []func(context.Context) error{v.caller, v.principals, v.bucket, v.otherBuckets} {
		if err := step(ctx); err != nil {
			return nil, err
		}
		if err := v.ended(); err != nil {
			return nil, err
		}
	}
	v.out.topics = append(v.out.topics, Assumption{TopicOtherResources, NotRead})
	v.out.id, v.out.live = v.own, true
	for _, p := range v.out.principals {
		v.out.id = p.subject.Account
	}
	return v.out, nil
}

func newLive(l *loader) *live {
	v := &live{loader: l, bounds: l.bounds, out: newAccount(""), partition: "aws", trusted: map[string]bool{}}
	v.iam = iam.NewFromConfig(l.access.AWS.Config, func(o *iam.Options) {
		o.Retryer = aws.NopRetryer{}
		o.APIOptions = append(o.APIOptions, checkAnswers)
	})
	return v
}

// caller asks whose account is read.
func (v *live) caller(ctx context.Context) error {
	if v.access.AWS.STS == nil {
		return nil
	}
	var lostHere []Gap
	who, a := ask(ctx, v, call{name: "sts:GetCallerIdentity", to: &lostHere},
		func(ctx context.Context) (*sts.GetCallerIdentityOutput, error) {
			return v.access.AWS.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.Options) {
				o.Retryer = aws.NopRetryer{}
				o.APIOptions = append(o.APIOptions, checkAnswers)
			})
		},
		func(out *sts.GetCallerIdentityOutput) Lost {
			if !isAccount(aws.ToString(out.Account)) || !strings.Contains(aws.ToString(out.Arn), ":"+*out.Account+":") {
				return LostEmpty
			}
			return ""
		})
	if a != got {
		if err := v.ended(); err != nil {
			return err
		}
		return &ReadError{What: "sts:GetCallerIdentity", code: lostHere[0].Code}
	}
	v.own, v.loader.caller = *who.Account, *who.Arn
	if p, ok := parseARN(*who.Arn); ok {
		v.partition = p.partition
	}
	return nil
}

// principals reads those that were named, and with --all everybody.
func (v *live) principals(ctx context.Context) error {
	users, err := v.theNamed(policy.User, v.sel.Users)
	if err != nil {
		return err
	}
	roles, err := v.theNamed(policy.Role, v.sel.Roles)
	if err != nil {
		return err
	}
	if v.sel.All {
		if users, roles, err = v.everybody(ctx, users, roles); err != nil {
			return err
		}
		if len(users) >= reportFrom {
			v.report = v.credentialReport(ctx)
		}
	}
	if err := v.each(ctx, append(users, roles...)); err != nil {
		return err
	}
	if !v.sel.All {
		v.trusts(ctx)
	}
	v.collect()
	return v.ended()
}

// theNamed makes ready what --user or --role named. Somebody of another account
// or partition is nobody here.
func (v *live) theNamed(t policy.Type, given []string) ([]*wanted, error) {
	var out []*wanted
	for _, text := range given {
		n, ok := parseNamed(t, text)
		if !ok {
			return nil, &NobodyError{Kind: kindOf(t), Name: text}
		}
		if s, ok := subjectOf(n.arn); ok && v.own != "" && (s.Account != v.own || s.Partition != v.partition) {
			return nil, &UsageError{Code: UsageElsewhere, Got: text, Account: v.own}
		}
		out = append(out, &wanted{named: n, kind: t})
	}
	return out, nil
}

// wanted is somebody who is to be read.
type wanted struct {
	named
	kind  policy.Type
	found *principal // already, by the account's details
}

func kindOf(t policy.Type) string {
	if t == policy.Role {
		return "role"
	}
	return "user"
}

// each reads several principals at a time, and keeps their order.
func (v *live) each(ctx context.Context, list []*wanted) error {
	var done int
	var mu sync.Mutex
	found := make([]*principal, len(list))
	var group errgroup.Group
	group.SetLimit(readers)
	for i, w := range list {
		group.Go(func() error {
			if v.ended() != nil {
				return nil
			}
			mu.Lock()
			v.tell(Progress{Principal: w.name, Done: done, All: len(list)})
			done++
			mu.Unlock()
			p, err := v.one(ctx, w)
			found[i] = p
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, p := range found {
		if p != nil && list[i].found == nil {
			v.out.principals = append(v.out.principals, p)
		}
	}
	return nil
}

func (v *live) one(ctx context.Context, w *wanted) (*principal, error) {
	switch {
	case w.found != nil:
		v.beyond(ctx, w.found)
		return w.found, nil
	case w.kind == policy.Role:
		return v.role(ctx, w.named)
	}
	return v.user(ctx, w.named)
}

// unread makes a principal of whom no more is known than how it was named.
func (v *live) unread(t policy.Type, n named) *principal {
	path := n.path
	if path == "" {
		path = "/"
	}
	arn := n.arn
	if arn == "" {
		arn = "arn:" + v.partition + ":iam::" + v.own + ":" + kindOf(t) + path + n.name
	}
	p := &principal{named: true, subject: policy.Subject{
		Type: t, ARN: arn, Partition: v.partition, Account: v.own, Path: path, Name: n.name,
	}}
	if n.arn == "" {
		p.notes = append(p.notes, Note{What: NoteGuessedARN, Source: -1, Name: arn})
	}
	return p
}

// holdsRecord holds the record of a user or role to whom was asked for.
func (v *live) holdsRecord(t policy.Type, arn, name string, asked named) Lost {
	s, ok := subjectOf(arn)
	switch {
	case arn == "":
		return LostEmpty
	case !ok, s.Type != t, s.Name != name, !strings.EqualFold(name, asked.name), v.own != "" && s.Account != v.own:
		return LostAnother
	}
	return ""
}

// memo makes each thing once, though several ask for it at a time.
type memo[T any] struct {
	mu   sync.Mutex
	made map[string]func() T
}

func (m *memo[T]) get(key string, make func() T) T {
	m.mu.Lock()
	if m.made == nil {
		m.made = map[string]func() T{}
	}
	if m.made[key] == nil {
		m.made[key] = sync.OnceValue(make)
	}
	once := m.made[key]
	m.mu.Unlock()
	return once()
}

// peek gives what was made already.
func (m *memo[T]) peek(key string) (T, bool) {
	m.mu.Lock()
	once, ok := m.made[key]
	m.mu.Unlock()
	if !ok {
		var zero T
		return zero, false
	}
	return once(), true
}

func (m *memo[T]) each(do func(key string, made T)) {
	for key, made := range m.made {
		do(key, made())
	}
}

// collect puts what several principals share into the account, in an order that
// doesn't hang on who was read first.
func (v *live) collect() {
	v.groups.each(func(name string, g *holder) { v.out.groups[name] = g })
	v.policies.each(func(arn string, m *managedRead) {
		v.out.managed[arn], v.out.unread[arn] = m.src, m.gaps
	})
	slices.SortFunc(v.out.trusts, func(a, b policy.Source) int { return strings.Compare(a.Attached, b.Attached) })
}
