// Command daprd is Dapr's sidecar with three pub/sub components: in-memory, Kafka and Redis.
//
// Dapr's own main package registers all of its components or none, and they bring the libraries of every cloud with
// them. This one sets up the same runtime from the same options, and registers what the tests need.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/dapr/components-contrib/nameresolution/mdns"
	inmemory "github.com/dapr/components-contrib/pubsub/in-memory"
	"github.com/dapr/components-contrib/pubsub/kafka"
	"github.com/dapr/components-contrib/pubsub/redis"
	"go.opencensus.io/stats/view"

	"github.com/dapr/dapr/cmd/daprd/options"
	"github.com/dapr/dapr/pkg/components/bindings"
	"github.com/dapr/dapr/pkg/components/configuration"
	"github.com/dapr/dapr/pkg/components/conversation"
	"github.com/dapr/dapr/pkg/components/crypto"
	"github.com/dapr/dapr/pkg/components/lock"
	"github.com/dapr/dapr/pkg/components/middleware/http"
	"github.com/dapr/dapr/pkg/components/nameresolution"
	"github.com/dapr/dapr/pkg/components/pubsub"
	"github.com/dapr/dapr/pkg/components/secretstores"
	"github.com/dapr/dapr/pkg/components/state"
	"github.com/dapr/dapr/pkg/healthz"
	"github.com/dapr/dapr/pkg/metrics"
	"github.com/dapr/dapr/pkg/modes"
	"github.com/dapr/dapr/pkg/runtime"
	"github.com/dapr/dapr/pkg/runtime/registry"
	"github.com/dapr/dapr/pkg/security"
	"github.com/dapr/kit/concurrency"
	"github.com/dapr/kit/logger"
	"github.com/dapr/kit/signals"
)

var log = logger.NewLogger("dapr.runtime")

func main() {
	register()
	opts, err := options.New(os.Args[1:])
	if err != nil {
		exit("flags", err)
	}
	opts.Logger.SetAppID(opts.AppID)
	if err := logger.ApplyOptionsToLoggers(&opts.Logger); err != nil {
		exit("log options", err)
	}
	if err := serve(signals.Context(), opts); err != nil {
		exit("runtime", err)
	}
}

func exit(what string, err error) {
	fmt.Fprintf(os.Stderr, "daprd: %s: %v\n", what, err)
	os.Exit(1)
}

func register() {
	contrib := logger.NewLogger("dapr.contrib")
	pubsub.DefaultRegistry.Logger = contrib
	pubsub.DefaultRegistry.RegisterComponent(inmemory.New, "in-memory")
	pubsub.DefaultRegistry.RegisterComponent(kafka.NewKafka, "kafka")
	pubsub.DefaultRegistry.RegisterComponent(redis.NewRedisStreams, "redis")
	nameresolution.DefaultRegistry.Logger = contrib
	nameresolution.DefaultRegistry.RegisterComponent(mdns.NewResolver, "mdns")
}

// serve runs until the context ends.
func serve(ctx context.Context, opts *options.Options) error {
	health := healthz.New()
	provider, err := security.New(ctx, security.Options{
		SentryAddress:           opts.SentryAddress,
		ControlPlaneTrustDomain: opts.ControlPlaneTrustDomain,
		ControlPlaneNamespace:   opts.ControlPlaneNamespace,
		TrustAnchors:            opts.TrustAnchors,
		AppID:                   opts.AppID,
		MTLSEnabled:             opts.EnableMTLS,
		Mode:                    modes.DaprMode(opts.Mode),
		Healthz:                 health,
	})
	if err != nil {
		return err
	}
	run := func(ctx context.Context) error {
		handler, err := provider.Handler(ctx)
		if err != nil {
			return err
		}
		sidecar, err := runtime.FromConfig(ctx, config(opts, handler, health))
		if err != nil {
			return err
		}
		return sidecar.Run(ctx)
	}
	return concurrency.NewRunnerManager(provider.Run, run).Run(ctx)
}

// config passes the options on.
func config(opts *options.Options, handler security.Handler, health healthz.Healthz) *runtime.Config {
	return &runtime.Config{
		AppID:                         opts.AppID,
		ActorsService:                 opts.ActorsService,
		ActorsDisseminationTimeout:    opts.ActorsDisseminationTimeout,
		RemindersService:              opts.RemindersService,
		SchedulerAddress:              opts.SchedulerAddress,
		SchedulerStreams:              opts.SchedulerJobStreams,
		SentryAddress:                 opts.SentryAddress,
		ControlPlaneAddress:           opts.ControlPlaneAddress,
		HotReloadReconcileInterval:    opts.HotReloadReconcileInterval,
		AllowedOrigins:                opts.AllowedOrigins,
		ResourcesPath:                 opts.ResourcesPath,
		ComponentsPath:                opts.ComponentsPath,
		Config:                        opts.Config,
		Mode:                          opts.Mode,
		AppProtocol:                   opts.AppProtocol,
		ApplicationPort:               opts.AppPort,
		AppChannelAddress:             opts.AppChannelAddress,
		AppMaxConcurrency:             opts.AppMaxConcurrency,
		AppSSL:                        opts.AppSSL,
		EnableAppHealthCheck:          opts.EnableAppHealthCheck,
		AppHealthCheckPath:            opts.AppHealthCheckPath,
		AppHealthProbeInterval:        opts.AppHealthProbeInterval,
		AppHealthProbeTimeout:         opts.AppHealthProbeTimeout,
		AppHealthThreshold:            opts.AppHealthThreshold,
		DisableInitEndpoints:          opts.DisableInitEndpoints,
		DaprHTTPPort:                  opts.DaprHTTPPort,
		DaprAPIGRPCPort:               opts.DaprAPIGRPCPort,
		DaprAPIListenAddresses:        opts.DaprAPIListenAddresses,
		DaprInternalGRPCPort:          opts.DaprInternalGRPCPort,
		DaprInternalGRPCListenAddress: opts.DaprInternalGRPCListenAddress,
		DaprPublicPort:                opts.DaprPublicPort,
		DaprPublicListenAddress:       opts.DaprPublicListenAddress,
		MaxRequestSize:                opts.MaxRequestSize,
		ReadBufferSize:                opts.ReadBufferSize,
		UnixDomainSocket:              opts.UnixDomainSocket,
		DaprGracefulShutdownSeconds:   opts.DaprGracefulShutdownSeconds,
		DaprBlockShutdownDuration:     opts.DaprBlockShutdownDuration,
		EnableAPILogging:              opts.EnableAPILogging,
		EnableProfiling:               opts.EnableProfiling,
		ProfilePort:                   opts.ProfilePort,
		EnableMTLS:                    opts.EnableMTLS,
		DisableBuiltinK8sSecretStore:  opts.DisableBuiltinK8sSecretStore,
		Metrics: metrics.Options{
			Enabled:       opts.Metrics.Enabled(),
			Log:           log,
			Port:          opts.Metrics.Port(),
			Namespace:     metrics.DefaultMetricNamespace,
			Healthz:       health,
			ListenAddress: opts.Metrics.ListenAddress(),
			Meter:         view.NewMeter(),
		},
		Registry: registries(),
		Security: handler,
		Healthz:  health,
	}
}

// registries has all kinds of components: the runtime asks each of them, also those in which there is nothing.
func registries() *registry.Options {
	return registry.NewOptions().
		WithSecretStores(secretstores.DefaultRegistry).
		WithStateStores(state.DefaultRegistry).
		WithConfigurations(configuration.DefaultRegistry).
		WithLocks(lock.DefaultRegistry).
		WithPubSubs(pubsub.DefaultRegistry).
		WithNameResolutions(nameresolution.DefaultRegistry).
		WithBindings(bindings.DefaultRegistry).
		WithCryptoProviders(crypto.DefaultRegistry).
		WithHTTPMiddlewares(http.DefaultRegistry).
		WithConversations(conversation.DefaultRegistry)
}
