# Posteriors of the joint model by rstanarm's stan_jm, and of the mixed model alone by brms, on ../joint_model/{long,surv}_300.csv.
#
#   Rscript reference.R > raw_output.txt      (about ten minutes; writes reference.csv and versions.txt too)
#
# Priors are normal and wide, without rescaling by the data (autoscale = FALSE), so that they say nothing here; the correlation's is
# uniform, as lkj(1) is. stan_jm's Weibull hazard is exp(eta) shape t^(shape - 1).
suppressPackageStartupMessages({library(rstanarm); library(survival); library(brms)})
long <- read.csv("../joint_model/long_300.csv")
surv <- read.csv("../joint_model/surv_300.csv")
surv_cols <- surv[, c("id", "time", "event", "bulbar", "age_z", "arm")]
long <- merge(long, surv[, c("id", "arm")], by = "id")
long <- long[order(long$id, long$time_months), ]

set.seed(1)
joint <- stan_jm(
  formulaLong = alsfrsr ~ time_months + time_months:arm + (time_months | id), dataLong = long,
  formulaEvent = Surv(time, event) ~ bulbar + age_z + arm, dataEvent = surv_cols,
  time_var = "time_months", id_var = "id", assoc = "etavalue", basehaz = "weibull",
  priorLong = normal(0, 10, autoscale = FALSE), priorLong_intercept = normal(30, 100, autoscale = FALSE),
  priorLong_aux = normal(0, 20, autoscale = FALSE), priorEvent = normal(0, 5, autoscale = FALSE),
  priorEvent_intercept = normal(0, 20, autoscale = FALSE), priorEvent_aux = normal(0, 10, autoscale = FALSE),
  priorEvent_assoc = normal(0, 5, autoscale = FALSE),
  prior_covariance = lkj(regularization = 1, scale = 20, autoscale = FALSE),
  chains = 2, iter = 2000, cores = 1, seed = 1, refresh = 0, qnodes = 15)
print(summary(joint), digits = 5)
draws <- as.matrix(joint)
keep <- !grepl("b\\[", colnames(draws))
table_of <- function(model, draws, rhat, ess) data.frame(
  model = model, parameter = colnames(draws), mean = colMeans(draws), sd = apply(draws, 2, sd), rhat = rhat, ess = ess)
s <- summary(joint$stanfit)$summary
out <- table_of("stan_jm", draws[, keep], NA, NA)
write.csv(s[!grepl("b\\[|b_long|theta_L|mean_PPD|z_b|lp__", rownames(s)), c("mean", "sd", "n_eff", "Rhat")], "stan_jm_stan.csv")

mixed <- brm(alsfrsr ~ time_months + time_months:arm + (time_months | id), data = long, chains = 2, iter = 3000, warmup = 1000,
  prior = c(prior(normal(0, 10), class = b), prior(normal(30, 100), class = Intercept), prior(normal(0, 20), class = sigma),
            prior(normal(0, 20), class = sd), prior(lkj(1), class = cor)), seed = 1, refresh = 0, cores = 1)
print(summary(mixed), digits = 5)
m <- as.matrix(mixed)
m <- m[, !grepl("^r_|lp__|lprior|^Intercept$|^z_", colnames(m))]
out <- rbind(out, table_of("brms", m, NA, NA))
write.csv(out[, c("model", "parameter", "mean", "sd")], "reference.csv", row.names = FALSE)
writeLines(c(R.version.string, paste(c("rstanarm", "brms", "rstan", "survival"), sapply(c("rstanarm", "brms", "rstan", "survival"), function(p) as.character(packageVersion(p))))), "versions.txt")
