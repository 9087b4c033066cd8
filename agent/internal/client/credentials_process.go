package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// process gives the SDK's own credential_process provider, with three things
// that its default lacks: what the program prints on stderr goes nowhere (it
// may be a secret), its children end with it, and a child that keeps the pipe
// open can't hang the agent. Nil means that the profile runs no process.
func (c *Credentials) process(ctx context.Context) (aws.CredentialsProvider, error) {
	shared, err := config.LoadSharedConfigProfile(ctx, c.Source.Profile, func(o *config.LoadSharedConfigOptions) {
		o.CredentialsFiles = []string{sharedPath("AWS_SHARED_CREDENTIALS_FILE", config.DefaultSharedCredentialsFilename())}
		o.ConfigFiles = []string{sharedPath("AWS_CONFIG_FILE", config.DefaultSharedConfigFilename())}
	})
	if err != nil {
		return nil, &CredentialsError{Problem: BadProfile, Profile: c.Source.Profile, File: c.Source.File, cause: err}
	}
	innermost := &shared
	for innermost.Source != nil {
		innermost = innermost.Source
	}
	if innermost.CredentialProcess == "" || innermost.Credentials.HasKeys() || innermost.CredentialSource != "" ||
		innermost.WebIdentityTokenFile != "" || innermost.SSOSessionName != "" || innermost.SSOStartURL != "" || innermost.LoginSession != "" {
		return nil, nil
	}
	return c.assume(ctx, &shared, c.asWritten(innermost.Profile, innermost.CredentialProcess))
}

// asWritten gives a command back the quotes around it that the SDK takes for
// the value's own: of `"/my dir/signer" --for "a b"` it leaves a command that no
// shell understands.
func (c *Credentials) asWritten(profile, command string) string {
	for _, commands := range c.commands {
		if written := uncommented(commands[profile]); unquoted(written) == command {
			return written
		}
	}
	return command
}

// assume puts the roles of a chain of profiles on top of the process.
func (c *Credentials) assume(ctx context.Context, shared *config.SharedConfig, command string) (aws.CredentialsProvider, error) {
	var base aws.CredentialsProvider
	if shared.Source != nil {
		var err error
		if base, err = c.assume(ctx, shared.Source, command); err != nil {
			return nil, err
		}
	} else {
		base = processcreds.NewProviderCommand(quiet(command), func(o *processcreds.Options) { o.Timeout = c.timeout })
	}
	if shared.RoleARN == "" {
		return base, nil
	}
	if shared.MFASerial != "" {
		return nil, &CredentialsError{Problem: BadProfile, Profile: shared.Profile, File: c.Source.File}
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithCredentialsProvider(base), config.WithSharedConfigProfile(c.Source.Profile))
	if err != nil {
		return nil, fmt.Errorf("load profile of role: %w", err)
	}
	return stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), shared.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = shared.RoleSessionName
		if shared.ExternalID != "" {
			o.ExternalID = aws.String(shared.ExternalID)
		}
		if shared.RoleDurationSeconds != nil {
			o.Duration = *shared.RoleDurationSeconds
		}
	}), nil
}

// quiet is the SDK's command without the terminal.
func quiet(command string) processcreds.NewCommandBuilder {
	return processcreds.NewCommandBuilderFunc(func(ctx context.Context) (*exec.Cmd, error) {
		cmd, err := processcreds.DefaultNewCommandBuilder{Args: []string{command}}.NewCommand(ctx)
		if err != nil {
			return nil, err
		}
		cmd.Stdin, cmd.Stderr = nil, nil
		cmd.SysProcAttr = ownGroup()
		cmd.Cancel = func() error { return endGroup(cmd.Process) }
		cmd.WaitDelay = time.Second
		return cmd, nil
	})
}

// processProblem tells the three faults of a credential_process apart without
// quoting it.
func processProblem(err *processcreds.ProviderError) (Problem, string) {
	var exit *exec.ExitError
	switch text := err.Error(); {
	case strings.Contains(text, "timed out"):
		return ProcessHung, ""
	case errors.As(err, &exit):
		return ProcessFailed, fmt.Sprint(exit.ExitCode())
	case errors.Is(err, exec.ErrWaitDelay):
		return ProcessChild, ""
	case strings.Contains(text, "in process output") || strings.Contains(text, "of process output"):
		return ProcessRubbish, ""
	default:
		return ProcessFailed, ""
	}
}

func octal(mode fs.FileMode) string { return fmt.Sprintf("%04o", mode) }
