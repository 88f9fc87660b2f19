# Posterior of a joint model by rstanarm (stan_jm):   Rscript stan_jm.R > stan_jm_output.txt   (some twenty minutes of one core)
#
# Priors are stan_jm's own, which scale with the data; they stand at the end of the output. Its Weibull hazard is
# exp(eta) shape t^(shape - 1); the level written to stan_jm.csv is its log at 8 months and a score of zero.
source("common.R")
from <- proc.time()
joint <- stan_jm(
  formulaLong = alsfrsr ~ time_months + time_months:arm + (time_months | id), dataLong = long,
  formulaEvent = Surv(time, event) ~ bulbar + age_z + arm, dataEvent = surv[, c("id", "time", "event", "bulbar", "age_z", "arm")],
  time_var = "time_months", id_var = "id", assoc = "etavalue", basehaz = "weibull",
  chains = 1, iter = 8000, cores = 1, seed = 1, refresh = 500,
  adapt_delta = 0.8, max_treedepth = 9)
took("stan_jm", from)
print(summary(joint), digits = 5)
print(prior_summary(joint))
d <- as.data.frame(joint)
print(colnames(d)[!grepl("b\\[", colnames(d))])
shape <- d[["Event|weibull-shape"]]
keep("stan_jm", cbind(data.frame(intercept = d[["Long1|(Intercept)"]], slope = d[["Long1|time_months"]],
  "slope:arm" = d[["Long1|time_months:arm"]], sd_residual = d[["Long1|sigma"]], "hazard:bulbar" = d[["Event|bulbar"]],
  "hazard:age_z" = d[["Event|age_z"]], "hazard:arm" = d[["Event|arm"]], "association:value" = d[["Assoc|Long1|etavalue"]],
  log_level = d[["Event|(Intercept)"]] + log(shape) + (shape - 1) * log(AT), log_shape = log(shape), check.names = FALSE),
  spread(d[["Sigma[id:Long1|(Intercept),Long1|(Intercept)]"]], d[["Sigma[id:Long1|time_months,Long1|(Intercept)]"]],
         d[["Sigma[id:Long1|time_months,Long1|time_months]"]])))

