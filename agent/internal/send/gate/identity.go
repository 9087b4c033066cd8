package gate

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Clock errors. AWS refuses signatures that are more than 15 minutes off
// (S3 API Reference, "Authenticating Requests").
const (
	clockWarn  = 5 * time.Minute
	clockFault = 15 * time.Minute
)

// source reports where the credentials came from, and the traps.
func (p *pass) source() {
	s := p.aws.Source
	p.report.Source = s
	p.report.Region = p.aws.Config.Region
	p.report.Endpoint = p.aws.Endpoint
	c := Check{ID: CheckSource, Status: OK, Outcome: Outcome("gate.source-" + string(s.Kind)), Args: map[string]string{
		"kind": string(s.Kind), "key": s.Key, "path": s.File, "profile": s.Profile}}
	if !s.Expires.IsZero() {
		c.Args["expires"] = s.Expires.UTC().Format(time.RFC3339)
	}
	p.report.add(c)
	if !s.Expires.IsZero() && s.Expires.Before(time.Now()) {
		delete(c.Args, "expires")
		p.report.add(Check{ID: CheckTrap, Status: Warning, Outcome: SourceEnded, Args: map[string]string{"ended": s.Expires.UTC().Format(time.RFC3339)}})
	}
	for _, trap := range p.aws.Traps {
		p.report.add(Check{ID: CheckTrap, Status: Warning, Outcome: Outcome("credentials." + string(trap.Problem)), Args: trap.Args()})
	}
	e := Check{ID: CheckEndpoint, Status: OK, Outcome: EndpointAWS, Args: map[string]string{"region": p.aws.Config.Region}}
	if p.aws.Endpoint != "" {
		e.Outcome, e.Args["endpoint"] = EndpointCustom, p.aws.Endpoint
		e.Args["sts"] = p.aws.STSEndpoint
		if p.aws.STSEndpoint == "" {
			e.Args["sts"] = "–"
		}
	}
	p.report.add(e)
	way := Check{ID: CheckProxy, Status: OK, Outcome: ProxyNone, Args: map[string]string{"address": p.address("s3")}}
	switch proxy, err := p.aws.Proxy(way.Args["address"]); {
	case err != nil:
		way.Status, way.Outcome, way.Args["variable"] = Failed, ProxyMalformed, err.Variable
	case proxy != "":
		way.Outcome, way.Args["proxy"] = ProxyUsed, proxy
	}
	p.report.add(way)
}

// whoami asks whose key it is.
func (p *pass) whoami(ctx context.Context) bool {
	c, who := p.who(ctx)
	if c.Outcome == IdentityHidden && c.Status == OK && p.Method == MethodAuto {
		if who = p.remember(); who != nil {
			c.Outcome, c.Args = IdentityRemembered, map[string]string{"arn": who.ARN, "account": who.Account}
		}
	}
	p.report.Identity = who
	p.report.add(c)
	return c.Status == OK
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *pass) who(ctx context.Context) (Check, *Identity) {
	if p.Method == MethodListBuckets || p.Method == MethodAuto && p.aws.STS == nil {
		return p.whoByList(ctx), nil
	}
	c := Check{ID: CheckIdentity, Status: Failed, Asked: "sts:GetCallerIdentity"}
	if p.aws.STS == nil {
		c.Outcome = Unreachable
		c.Args = map[string]string{"silence": string(NoEndpoint), "what": c.Asked, "address": "–"}
		return c, nil
	}
	var out *sts.GetCallerIdentityOutput
	a := p.note(ask(ctx, false, func(ctx context.Context, q *asking) (err error) {
		out, err = p.aws.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, q.sts)
		return err
	}))
	if a.ok() {
		c.Answered = a.String()
		who := &Identity{Account: aws.ToString(out.Account), ARN: aws.ToString(out.Arn), UserID: aws.ToString(out.UserId)}
		c.Status, c.Outcome = OK, IdentityKnown
		c.Args = map[string]string{"arn": who.ARN, "account": who.Account}
		return c, who
	}
	if f := a.fault(); (f == Unreachable || f == NotTheStore) && p.Method == MethodAuto && ctx.Err() == nil {
		// Only where STS can't be reached: an answer of STS's own is an answer.
		return p.whoByList(ctx), nil
	}
	p.explain(&c, a)
	if c.Outcome == Unexpected && a.denied() {
		c.Outcome = IdentityRefused
	}
	return c, nil
}

// whoByList learns from ListBuckets that a key is valid, though not whose.
// AccessDenied is the answer that a write-only key gets, so it is a probe too.
func (p *pass) whoByList(ctx context.Context) Check {
	c := Check{ID: CheckIdentity, Status: OK, Outcome: IdentityHidden, Asked: "s3:ListAllMyBuckets"}
	a := p.note(ask(ctx, true, p.listBuckets))
	p.listed = &a
	if !a.ok() && !a.denied() {
		c.Status = Failed
		p.explain(&c, a)
	}
	c.Answered = a.String()
	return c
}

// listBuckets asks for one bucket, and notes that there is none to be seen.
func (p *pass) listBuckets(ctx context.Context, q *asking) error {
	out, err := p.aws.S3.ListBuckets(ctx, &s3.ListBucketsInput{MaxBuckets: aws.Int32(1)}, q.s3)
	q.got.empty = err == nil && len(out.Buckets) == 0 && aws.ToString(out.ContinuationToken) == ""
	return err
}

// explain fills in the outcome of an answer that means the same whatever was
// asked, or Unexpected.
func (p *pass) explain(c *Check, a answer) {
	c.Answered = a.String()
	c.Outcome = a.fault()
	if c.Args == nil {
		c.Args = map[string]string{}
	}
	c.Args["answer"], c.Args["what"], c.Args["key"] = a.String(), c.Asked, p.aws.Source.Key
	c.Args["profile"], c.Args["path"] = p.aws.Source.Profile, p.aws.Source.File
	c.Args["region"], c.Args["bucket"], c.Args["prefix"] = p.aws.Config.Region, p.Bucket, p.report.Prefix
	c.Args["address"] = p.address(c.Asked)
	c.Args["silence"], c.Args["host"], c.Args["said"] = string(a.silence), a.host, a.said()
	if a.dated {
		c.Args["offset"] = seconds(a.offset)
	}
	switch c.Outcome {
	case "":
		c.Outcome = Unexpected
	case KeyUnknown:
		if p.before != nil && p.before.key == p.aws.KeyID() {
			c.Outcome = KeyRevoked
		}
	case WrongRegion:
		if c.Args["right"] = a.region(); c.Args["right"] == "" {
			c.Outcome = OtherRegion
		}
	case MachineLacks:
		c.Args["lack"] = a.Code
	default: // says all by itself
	}
}

// address is where a question went, for looking there by hand.
func (p *pass) address(asked string) string {
	service, custom := "s3", p.aws.Endpoint
	if strings.HasPrefix(asked, "sts:") {
		service, custom = "sts", p.aws.STSEndpoint
	}
	if custom != "" {
		return custom
	}
	return "https://" + service + "." + p.aws.Config.Region + ".amazonaws.com"
}

// time judges the clock by the answer that was furthest off.
func (p *pass) time() {
	c := Check{ID: CheckClock, Status: OK, Outcome: ClockRight, Asked: "Date"}
	switch off := p.offset.Abs(); {
	case !p.dated:
		c.Status, c.Outcome = Unproven, ClockUnknown
	case off > clockFault:
		c.Status, c.Outcome = Failed, ClockWrong
	case off > clockWarn:
		c.Status, c.Outcome = Warning, ClockOff
	}
	if p.dated {
		c.Answered = seconds(p.offset)
		c.Args = map[string]string{"offset": c.Answered}
	}
	p.report.Checks[p.clock] = c
}

// seconds writes how far our clock is from the store's: "-20m0s" is behind.
func seconds(serverAhead time.Duration) string {
	d := -serverAhead.Round(time.Second)
	if d > 0 {
		return "+" + d.String()
	}
	return d.String()
}

// expected holds the identity to identity.expect.
func (p *pass) expected() bool {
	who := p.report.Identity
	c := Check{ID: CheckExpected, Status: OK, Outcome: ExpectMet, Args: map[string]string{
		"expect": p.Expect, "key": p.aws.Source.Key, "profile": p.aws.Source.Profile}}
	if who != nil {
		c.Args["arn"], c.Args["account"], c.Args["expectable"] = who.ARN, who.Account, expectable(who.ARN)
	}
	switch {
	case who != nil && root(who):
		c.Status, c.Outcome = Failed, RootRefused
	case who == nil && p.Method == MethodListBuckets:
		c.Status, c.Outcome = Unproven, IdentityExcused
		if p.Expect == "" {
			c.Outcome = IdentityHidden
		}
	case p.Expect == "":
		c.Status, c.Outcome = Unproven, ExpectAbsent
		if who == nil {
			c.Outcome = IdentityHidden
		}
		if p.NeedExpect {
			c.Status, c.Outcome = Failed, ExpectNeeded
		}
	case who == nil:
		c.Status, c.Outcome = Failed, IdentityUnseen
	case !matches(p.Expect, who.ARN):
		c.Status, c.Outcome = Failed, WrongIdentity
		if account := arnField(p.Expect, 4); account != who.Account {
			c.Outcome = WrongAccount
			c.Args["wanted"] = account
		}
	}
	p.report.add(c)
	return c.Status != Failed
}

// root tells the account's root user, and the sessions that act as it (IAM
// User Guide, "AWS account principals"; sts:AssumeRoot).
func root(who *Identity) bool {
	resource := arnField(who.ARN, 5)
	return resource == "root" || strings.HasPrefix(resource, "root/") || strings.HasPrefix(resource, "assumed-root") || who.UserID != "" && who.UserID == who.Account
}

func arnField(arn string, n int) string {
	fields := strings.SplitN(arn, ":", 6)
	if n < len(fields) {
		return fields[n]
	}
	return ""
}

// expectable is what to write as identity.expect for an identity: of a role's
// session the role, since sessions come and go.
func expectable(arn string) string {
	session, ok := strings.CutPrefix(arnField(arn, 5), "assumed-role/")
	if !ok || arnField(arn, 2) != "sts" {
		return arn
	}
	role, _, _ := strings.Cut(session, "/")
	return "arn:" + arnField(arn, 1) + ":iam::" + arnField(arn, 4) + ":role/" + role
}

// matches tells whether an identity is the expected one. A role's ARN means
// any session of that role; its path does not appear in a session's ARN (IAM
// User Guide, "IAM identifiers").
func matches(expect, arn string) bool {
	if expect == arn {
		return true
	}
	name, ok := strings.CutPrefix(arnField(expect, 5), "role/")
	if !ok || arnField(expect, 2) != "iam" || arnField(arn, 2) != "sts" ||
		arnField(expect, 1) != arnField(arn, 1) || arnField(expect, 4) != arnField(arn, 4) {
		return false
	}
	name = name[strings.LastIndexByte(name, '/')+1:]
	session, ok := strings.CutPrefix(arnField(arn, 5), "assumed-role/")
	role, _, _ := strings.Cut(session, "/")
	return ok && role == name
}
